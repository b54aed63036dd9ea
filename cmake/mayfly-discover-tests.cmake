# mayfly_discover_tests(<target> [PROFILE_DIR <dir>] [WORKING_DIRECTORY <dir>] [TIMEOUT <seconds>] [LABELS <label>...]
#                       [ENVIRONMENT <name=value>...])
#
# Registers a gtest executable that uses Mayfly's fixtures with CTest: one test a suite, `<target>.<suite>`, so that what
# a suite shares is made once. (gtest_discover_tests() makes a process for each test; with a ContainerSuite that is a
# container for each test.) The suites are asked of the executable when ctest starts.
#
#   PROFILE_DIR        where relative names of profiles are looked for; default: the current source directory
#   WORKING_DIRECTORY  default: the current binary directory; artifacts of failures go to its mayfly-artifacts/
#   TIMEOUT            of one suite; default: 900 s, since the first test that wants an image builds it
#
# A suite whose tests are all skipped (no root) is shown as skipped; MAYFLY_REQUIRE=all makes it fail.
set(MAYFLY_DISCOVER_SUITES ${CMAKE_CURRENT_LIST_DIR}/mayfly-discover-suites.cmake CACHE INTERNAL "")

function(mayfly_discover_tests target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROFILE_DIR;WORKING_DIRECTORY;TIMEOUT" "LABELS;ENVIRONMENT")
  if(arg_UNPARSED_ARGUMENTS OR NOT TARGET ${target})
    message(FATAL_ERROR "mayfly_discover_tests(${target}): not a target, or not understood: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT arg_PROFILE_DIR)
    set(arg_PROFILE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  if(NOT arg_WORKING_DIRECTORY)
    set(arg_WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 900)
  endif()
  cmake_path(ABSOLUTE_PATH arg_PROFILE_DIR NORMALIZE)
  target_compile_definitions(${target} PRIVATE MAYFLY_PROFILE_DIR="${arg_PROFILE_DIR}")

  # ctest reads the files of TEST_INCLUDE_FILES; where the executable is depends on the configuration.
  set(suites ${CMAKE_CURRENT_BINARY_DIR}/${target}-suites)
  get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  set(per_config ${suites}.cmake)
  if(multi_config)
    set(per_config ${suites}-$<CONFIG>.cmake)
    file(WRITE ${suites}.cmake "include(\"${suites}-\${CTEST_CONFIGURATION_TYPE}.cmake\" OPTIONAL)\n")
  endif()
  file(GENERATE OUTPUT ${per_config} CONTENT
"include([==[${MAYFLY_DISCOVER_SUITES}]==])
mayfly_discover_suites([==[${target}]==] [==[$<TARGET_FILE:${target}>]==] [==[${arg_WORKING_DIRECTORY}]==]
  TIMEOUT [==[${arg_TIMEOUT}]==] LABELS [==[${arg_LABELS}]==] ENVIRONMENT [==[${arg_ENVIRONMENT}]==])
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${suites}.cmake)
endfunction()
