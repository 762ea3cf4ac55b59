# What `include(${Slicer_USE_FILE})` gives a scripted extension: its name, its defaults, and the macros of modules and
# tests. Python3_EXECUTABLE is to be given: Slicer compiles with the Python that it ships.
if(POLICY CMP0177)
  cmake_policy(SET CMP0177 NEW)
endif()
set(EXTENSION_NAME "${PROJECT_NAME}")
if("${EXTENSION_NAME}" MATCHES "^$|^Slicer$|^Project$")
  message(FATAL_ERROR "project(<extension name>) must come before include(\${Slicer_USE_FILE})")
endif()
if(NOT DEFINED EXTENSION_DEPENDS)
  set(EXTENSION_DEPENDS NA)
endif()
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "${Slicer_INSTALL_ROOT}${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")
include(CTest) # BUILD_TESTING is on where nobody says otherwise

# slicerMacroBuildScriptedModule(NAME name SCRIPTS files RESOURCES files [WITH_GENERIC_TESTS] [WITH_SUBDIR] [VERBOSE])
#
# The build copies all files, by their path below the current folder, into the build tree's folder of scripted modules
# and compiles the scripts; installing copies that folder, with whatever else lies in it.
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(PARSE_ARGV 0 MODULE "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES")
  if(MODULE_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: unknown arguments ${MODULE_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT MODULE_NAME OR NOT MODULE_SCRIPTS)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: NAME and SCRIPTS are mandatory")
  endif()
  set(folder "${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")
  if(MODULE_WITH_SUBDIR)
    get_filename_component(subfolder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
    string(APPEND folder "/${subfolder}")
  endif()
  foreach(file IN LISTS MODULE_SCRIPTS MODULE_RESOURCES)
    if(IS_ABSOLUTE "${file}" OR "${file}" MATCHES "\\.\\./")
      message(FATAL_ERROR "slicerMacroBuildScriptedModule: ${file} would be installed in a wrong place")
    endif()
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
      message(FATAL_ERROR "slicerMacroBuildScriptedModule given nonexistent file or directory '${file}'")
    endif()
  endforeach()

  set(list "${CMAKE_CURRENT_BINARY_DIR}/${MODULE_NAME}-files.txt")
  string(JOIN "\n" lines ${MODULE_SCRIPTS} ${MODULE_RESOURCES})
  file(WRITE "${list}" "${lines}")
  add_custom_target(Copy${MODULE_NAME}PythonFiles ALL
    COMMAND "${CMAKE_COMMAND}" "-DLIST=${list}" "-DFROM=${CMAKE_CURRENT_SOURCE_DIR}" "-DTO=${folder}"
      -P "${Slicer_STAND_IN_DIR}/CopyFiles.cmake"
    VERBATIM)
  add_custom_target(Compile${MODULE_NAME}PythonFiles ALL
    COMMAND "${Python3_EXECUTABLE}" -m compileall -q -f "${folder}" VERBATIM)
  add_dependencies(Compile${MODULE_NAME}PythonFiles Copy${MODULE_NAME}PythonFiles)
  install(DIRECTORY "${folder}/" DESTINATION "${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}"
    COMPONENT RuntimeLibraries USE_SOURCE_PERMISSIONS)

  if(BUILD_TESTING AND MODULE_WITH_GENERIC_TESTS)
    add_test(NAME py_nomainwindow_qSlicer${MODULE_NAME}ModuleGenericTest COMMAND "${Slicer_LAUNCHER_EXECUTABLE}")
  endif()
endfunction()

# slicer_add_python_unittest(SCRIPT file [TESTNAME_PREFIX prefix] [SLICER_ARGS ...]): Slicer imports the file's name from
# the file's own folder, and runs what unittest finds in it.
function(slicer_add_python_unittest)
  cmake_parse_arguments(PARSE_ARGV 0 UNIT "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS")
  get_filename_component(name "${UNIT_SCRIPT}" NAME_WE)
  get_filename_component(folder "${UNIT_SCRIPT}" ABSOLUTE)
  if(NOT EXISTS "${folder}")
    message(FATAL_ERROR "slicer_add_python_unittest: there is no ${folder}")
  endif()
  get_filename_component(folder "${folder}" DIRECTORY)
  add_test(NAME py_${UNIT_TESTNAME_PREFIX}${name} COMMAND "${Slicer_LAUNCHER_EXECUTABLE}" --testing ${UNIT_SLICER_ARGS}
    --python-code "import slicer.testing; slicer.testing.runUnitTest(['${folder}'], '${name}')")
endfunction()
