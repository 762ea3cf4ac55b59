# Copies the files that LIST names, one a line, from FROM to the same paths below TO.
file(STRINGS "${LIST}" files)
foreach(file IN LISTS files)
  get_filename_component(folder "${TO}/${file}" DIRECTORY)
  file(COPY "${FROM}/${file}" DESTINATION "${folder}")
endforeach()
