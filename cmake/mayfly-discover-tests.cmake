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

# mayfly_add_inside_test(<target> PROFILE <file> [ARGUMENTS <option of mayfly run>...] [WORKING_DIRECTORY <dir>]
#                        [TIMEOUT <seconds>] [LABELS <label>...] [ENVIRONMENT <name=value>...])
#
# Registers a gtest executable of any kind with CTest, each of its test cases to be run in a clean container of the
# profile: one test a case, `<target>.<suite>.<case>`. The executable itself is asked for its tests on the host. See
# docs/inside.md.
#
#   PROFILE    relative to the current source directory
#   ARGUMENTS  such as --user nobody, --copy-in testdata=/srv/testdata
#
# The other arguments are those of mayfly_discover_tests().
function(mayfly_add_inside_test target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROFILE;WORKING_DIRECTORY;TIMEOUT" "ARGUMENTS;LABELS;ENVIRONMENT")
  if(arg_UNPARSED_ARGUMENTS OR NOT TARGET ${target} OR NOT arg_PROFILE)
    message(FATAL_ERROR "mayfly_add_inside_test(${target}): not a target, no PROFILE, or not understood: "
                        "'${arg_UNPARSED_ARGUMENTS}'")
  endif()
  cmake_path(ABSOLUTE_PATH arg_PROFILE NORMALIZE)
  if(TARGET mayfly)
    set(mayfly $<TARGET_FILE:mayfly>)
    add_dependencies(${target} mayfly)
  else()
    find_program(MAYFLY_COMMAND mayfly HINTS ${mayfly_DIR}/../../../bin ${mayfly_DIR}/../../../../bin REQUIRED)
    set(mayfly ${MAYFLY_COMMAND})
  endif()
  list(PREPEND arg_ENVIRONMENT MAYFLY_POOL=on)
  _mayfly_discover(${target} "${arg_WORKING_DIRECTORY}" "${arg_TIMEOUT}" "${arg_LABELS}" "${arg_ENVIRONMENT}"
    "${mayfly};run;--host-program;${arg_ARGUMENTS};${arg_PROFILE};--")
endfunction()

function(mayfly_discover_tests target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROFILE_DIR;WORKING_DIRECTORY;TIMEOUT" "LABELS;ENVIRONMENT")
  if(arg_UNPARSED_ARGUMENTS OR NOT TARGET ${target})
    message(FATAL_ERROR "mayfly_discover_tests(${target}): not a target, or not understood: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT arg_PROFILE_DIR)
    set(arg_PROFILE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  cmake_path(ABSOLUTE_PATH arg_PROFILE_DIR NORMALIZE)
  target_compile_definitions(${target} PRIVATE MAYFLY_PROFILE_DIR="${arg_PROFILE_DIR}")
  _mayfly_discover(${target} "${arg_WORKING_DIRECTORY}" "${arg_TIMEOUT}" "${arg_LABELS}" "${arg_ENVIRONMENT}" "")
endfunction()

# launcher: what runs the executable for each of its cases; empty: each suite runs on the host.
function(_mayfly_discover target working_directory timeout labels environment launcher)
  if(NOT working_directory)
    set(working_directory ${CMAKE_CURRENT_BINARY_DIR})
  endif()
  if(NOT timeout)
    set(timeout 900)
  endif()
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
mayfly_discover_suites([==[${target}]==] [==[$<TARGET_FILE:${target}>]==] [==[${working_directory}]==]
  TIMEOUT [==[${timeout}]==] LABELS [==[${labels}]==] ENVIRONMENT [==[${environment}]==] LAUNCHER [==[${launcher}]==])
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${suites}.cmake)
endfunction()
