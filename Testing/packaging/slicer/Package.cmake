# What the extension says of itself, as CMake has it in the end: one `KEY<tab>value` a line, for the tests to look at.
if(NOT "${EXTENSION_NAME}" STREQUAL "${PROJECT_NAME}")
  message(FATAL_ERROR "EXTENSION_NAME ${EXTENSION_NAME} differs from the project's name ${PROJECT_NAME}")
endif()
foreach(key IN ITEMS README_FILE LICENSE_FILE)
  if(NOT EXISTS "${EXTENSION_${key}}")
    message(FATAL_ERROR "EXTENSION_${key} names no file: '${EXTENSION_${key}}'")
  endif()
endforeach()
set(description "")
foreach(key IN ITEMS NAME HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS LICENSE_FILE
    README_FILE)
  string(APPEND description "${key}\t${EXTENSION_${key}}\n")
endforeach()
file(WRITE "${CMAKE_BINARY_DIR}/${EXTENSION_NAME}-description.txt" "${description}")
install(FILES "${CMAKE_BINARY_DIR}/${EXTENSION_NAME}-description.txt"
  DESTINATION "share/Slicer-${Slicer_VERSION_MAJOR}.${Slicer_VERSION_MINOR}" COMPONENT RuntimeLibraries)
