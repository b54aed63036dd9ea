# mayfly_add_test(<kind> <name> SOURCES <file>... [LIBRARIES <target>...] [MAIN <target>] [DEFINITIONS <name=value>...]
#                 [TIMEOUT <seconds>] [COST <seconds>] [SERIAL])
#
# Makes the GoogleTest executable <kind>_<name> and one CTest test of the same name with the label <kind>. One test an
# executable, not one a test case: fixtures that a suite shares are built once, and nothing has to be discovered. The
# single results are in <build>/junit/<kind>_<name>.xml.
#
# Kinds: unit (no root, milliseconds); golden (the same, with expected texts beside the source); system and fault (root
# and real containers); example. All run in parallel but for faults and what is SERIAL: these look at the whole host for
# what was left behind, so another's containers would be in the way. COST: about how long it takes when that is much;
# CTest starts the longest first.
function(mayfly_add_test kind name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "SERIAL" "MAIN;TIMEOUT;COST" "SOURCES;LIBRARIES;DEFINITIONS")
  set(kinds unit golden system fault example)
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES OR NOT kind IN_LIST kinds)
    message(FATAL_ERROR "mayfly_add_test(${kind} ${name}): <kind> is one of '${kinds}' and SOURCES is required; "
                        "not understood: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT arg_MAIN)
    set(arg_MAIN GTest::gmock_main)
  endif()
  if(NOT arg_TIMEOUT)
    if(kind IN_LIST "unit;golden")
      set(arg_TIMEOUT 60)
    else()
      # An image that isn't in the store yet is built by the first test that wants it.
      set(arg_TIMEOUT 900)
    endif()
  endif()

  set(target ${kind}_${name})
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} GTest::gmock ${arg_MAIN} mayfly_settings)
  target_include_directories(${target} PRIVATE ${mayfly_SOURCE_DIR})
  target_precompile_headers(${target} REUSE_FROM mayfly_test_headers)
  target_compile_definitions(${target} PRIVATE ${arg_DEFINITIONS}
    MAYFLY_TEST_DIR="${CMAKE_CURRENT_SOURCE_DIR}" MAYFLY_SOURCE_DIR="${mayfly_SOURCE_DIR}")

  add_test(NAME ${target}
    COMMAND ${target} --gtest_brief=1 --gtest_output=xml:${mayfly_BINARY_DIR}/junit/${target}.xml)
  set_tests_properties(${target} PROPERTIES LABELS ${kind} TIMEOUT ${arg_TIMEOUT})
  if(arg_SERIAL OR kind STREQUAL "fault")
    set_tests_properties(${target} PROPERTIES RUN_SERIAL ON)
  endif()
  if(NOT kind STREQUAL "example")
    # Containers start where the test starts them; tests of the pool turn it on themselves.
    set_tests_properties(${target} PROPERTIES ENVIRONMENT MAYFLY_POOL=off)
  endif()
  if(arg_COST)
    set_tests_properties(${target} PROPERTIES COST ${arg_COST})
  endif()
endfunction()
