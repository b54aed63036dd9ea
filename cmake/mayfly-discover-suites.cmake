# Run by ctest when it starts; see mayfly-discover-tests.cmake.
cmake_policy(VERSION 3.25)
if(POLICY CMP0174)
  cmake_policy(SET CMP0174 NEW)  # an empty value, as of ENVIRONMENT, is a value
endif()

# mayfly_discover_suites(<target> <executable> <working directory> TIMEOUT <seconds> LABELS <list> ENVIRONMENT <list>)
function(mayfly_discover_suites target executable working_directory)
  cmake_parse_arguments(PARSE_ARGV 3 arg "" "TIMEOUT;LABELS;ENVIRONMENT" "")
  if(NOT EXISTS ${executable})
    add_test(${target} ${executable})  # "Not Run", which is a failure
    return()
  endif()
  execute_process(COMMAND ${executable} --gtest_list_tests WORKING_DIRECTORY ${working_directory}
    OUTPUT_VARIABLE listing ERROR_VARIABLE errors RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "'${executable} --gtest_list_tests' failed (${status}): ${errors}")
  endif()

  # A suite's line isn't indented, its tests' lines are: "Debian/Web.  # GetParam() = ..."
  string(REGEX MATCHALL "(^|\n)[A-Za-z0-9_/]+\\.( |\n)" lines "${listing}")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^\n?([A-Za-z0-9_/]+)\\.[ \n]$" "\\1" suite "${line}")
    add_test("${target}.${suite}" ${executable} "--gtest_filter=${suite}.*")
    # Skipped only when no test has passed and none has failed: gtest prints the list of skipped tests last.
    set_tests_properties("${target}.${suite}" PROPERTIES
      WORKING_DIRECTORY "${working_directory}"
      TIMEOUT "${arg_TIMEOUT}"
      SKIP_REGULAR_EXPRESSION "\\[  PASSED  \\] 0 tests\\.\n\\[  SKIPPED \\][^\n]*\n(\\[  SKIPPED \\][^\n]*\n)+\n*$")
    if(arg_LABELS)
      set_tests_properties("${target}.${suite}" PROPERTIES LABELS "${arg_LABELS}")
    endif()
    if(arg_ENVIRONMENT)
      set_tests_properties("${target}.${suite}" PROPERTIES ENVIRONMENT "${arg_ENVIRONMENT}")
    endif()
  endforeach()
endfunction()
