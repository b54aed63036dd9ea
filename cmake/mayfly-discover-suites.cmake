# Run by ctest when it starts; see mayfly-discover-tests.cmake.
cmake_policy(VERSION 3.25)
if(POLICY CMP0174)
  cmake_policy(SET CMP0174 NEW)  # an empty value, as of ENVIRONMENT, is a value
endif()

# mayfly_discover_suites(<target> <executable> <working directory> TIMEOUT <seconds> LABELS <list> ENVIRONMENT <list>
#                        LAUNCHER <command>)
# With a launcher each case is a test, and is run by it.
function(mayfly_discover_suites target executable working_directory)
  cmake_parse_arguments(PARSE_ARGV 3 arg "" "TIMEOUT;LABELS;ENVIRONMENT;LAUNCHER" "")
  if(NOT EXISTS ${executable})
    add_test(${target} ${executable})  # "Not Run", which is a failure
    return()
  endif()
  execute_process(COMMAND ${executable} --gtest_list_tests WORKING_DIRECTORY ${working_directory} TIMEOUT 60
    OUTPUT_VARIABLE listing ERROR_VARIABLE errors RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    # One program that can't tell its tests is one failure; the tests of the others run all the same.
    message(NOTICE "'${executable} --gtest_list_tests' failed (${status}): ${errors}")
    add_test("${target}.can_tell_its_tests" ${executable} --gtest_list_tests)
    set_tests_properties("${target}.can_tell_its_tests" PROPERTIES
      WORKING_DIRECTORY "${working_directory}" TIMEOUT 60
      PASS_REGULAR_EXPRESSION "no output has this: it has failed already")
    return()
  endif()

  # A suite's line isn't indented, its tests' lines are: "Debian/Web.  # GetParam() = ...". What CMake's lists can't hold
  # becomes '?', which stands for any character in a filter.
  string(REGEX REPLACE "[][;]" "?" listing "${listing}")
  string(REPLACE "\n" ";" lines "${listing}")
  set(suite "")
  set(has_tests FALSE)
  foreach(line IN LISTS lines ITEMS "End.")
    if(line MATCHES "^([^ ]+)\\.(  # .*)?$")
      set(next "${CMAKE_MATCH_1}")
      if(has_tests)
        _mayfly_add_suite()
      endif()
      set(suite "${next}")
      set(has_tests FALSE)
      set(disabled TRUE)
    elseif(suite AND line MATCHES "^  [^ ]")
      if(arg_LAUNCHER)
        _mayfly_add_case()
        continue()
      endif()
      set(has_tests TRUE)
      if(NOT line MATCHES "^  ([^ ]*/)?DISABLED_" AND NOT suite MATCHES "(^|/)DISABLED_")
        set(disabled FALSE)
      endif()
    endif()
  endforeach()
endfunction()

macro(_mayfly_add_suite)
  _mayfly_add("${suite}" "${suite}.*" ${disabled})
endmacro()

# A macro's arguments would be read once more, with what looks like variables and escapes in them.
macro(_mayfly_add_case)
  string(REGEX REPLACE "^  ([^ ]+).*" "\\1" case "${line}")
  set(disabled FALSE)
  if("${suite}.${case}" MATCHES "(^|/|\\.)DISABLED_")
    set(disabled TRUE)
  endif()
  _mayfly_add("${suite}.${case}" "${suite}.${case}" ${disabled})
endmacro()

macro(_mayfly_add name pattern disabled)
  string(REGEX REPLACE "[-:]" "?" filter "${pattern}")
  add_test("${target}.${name}" ${arg_LAUNCHER} ${executable} "--gtest_filter=${filter}")
  # Skipped only when no test has passed and none has failed: gtest prints the list of skipped tests last.
  set_tests_properties("${target}.${name}" PROPERTIES
    WORKING_DIRECTORY "${working_directory}"
    TIMEOUT "${arg_TIMEOUT}"
    DISABLED ${disabled}
    SKIP_REGULAR_EXPRESSION "\\[  PASSED  \\] 0 tests\\.\n\\[  SKIPPED \\][^\n]*\n(\\[  SKIPPED \\][^\n]*\n)+\n*$")
  if(arg_LABELS)
    set_tests_properties("${target}.${name}" PROPERTIES LABELS "${arg_LABELS}")
  endif()
  if(arg_ENVIRONMENT)
    set_tests_properties("${target}.${name}" PROPERTIES ENVIRONMENT "${arg_ENVIRONMENT}")
  endif()
endmacro()
