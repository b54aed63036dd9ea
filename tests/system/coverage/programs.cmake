# The programs that coverage_test.cpp runs, compiled for gcov and for LLVM's coverage: coverage_programs,
# coverage_definitions.
set(sources ${CMAKE_CURRENT_SOURCE_DIR}/coverage)

add_library(coverage_gcov_library SHARED coverage/library.cpp)
add_executable(coverage_gcov_test coverage/inner_test.cpp)
target_link_libraries(coverage_gcov_test PRIVATE coverage_gcov_library mayfly::gtest GTest::gtest_main)
target_compile_definitions(coverage_gcov_test PRIVATE MAYFLY_PROFILE_DIR="${sources}")
add_executable(coverage_gcov_plain coverage/plain.cpp)
target_link_libraries(coverage_gcov_plain PRIVATE coverage_gcov_library)
foreach(target IN ITEMS coverage_gcov_library coverage_gcov_test coverage_gcov_plain)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${target} PRIVATE -g -O0 --coverage)
  target_link_options(${target} PRIVATE --coverage)
endforeach()
set(coverage_programs coverage_gcov_test coverage_gcov_plain)
# "13.2.0": gcov reads what its own compiler has written.
string(REGEX MATCH "^[0-9]+" major ${CMAKE_CXX_COMPILER_VERSION})
set(gcov gcov-${major})
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  set(gcov "llvm-cov-${major} gcov")
endif()
list(APPEND coverage_definitions "MAYFLY_GCOV=\"${gcov}\"" MAYFLY_GCOV_OBJECTS="${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles"
  MAYFLY_GCOV_TEST="$<TARGET_FILE:coverage_gcov_test>" MAYFLY_GCOV_PLAIN="$<TARGET_FILE:coverage_gcov_plain>")

# LLVM's runtime is linked as clang++ says that it does; all else is of this build's own compiler.
find_program(MAYFLY_CLANG NAMES clang++-19 clang++)
set(runtime "")
if(MAYFLY_CLANG)
  execute_process(COMMAND ${MAYFLY_CLANG} -fprofile-instr-generate "-###" /dev/null -o /dev/null
    OUTPUT_QUIET ERROR_VARIABLE commands)
  string(REGEX MATCH "[^ \"]*libclang_rt.profile[^ \"]*" runtime "${commands}")
  get_filename_component(programs ${MAYFLY_CLANG} REALPATH)
  get_filename_component(programs ${programs} DIRECTORY)
  find_program(MAYFLY_LLVM_PROFDATA llvm-profdata PATHS ${programs} NO_DEFAULT_PATH)
  find_program(MAYFLY_LLVM_COV llvm-cov PATHS ${programs} NO_DEFAULT_PATH)
endif()
if(runtime AND EXISTS "${runtime}" AND MAYFLY_LLVM_PROFDATA AND MAYFLY_LLVM_COV)
  foreach(name IN ITEMS inner_test library plain)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/coverage_llvm_${name}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${MAYFLY_CLANG} -std=c++20 -g -O0 -fprofile-instr-generate -fcoverage-mapping
        "-I$<JOIN:$<TARGET_PROPERTY:coverage_gcov_test,INCLUDE_DIRECTORIES>,;-I>"
        "-D$<JOIN:$<TARGET_PROPERTY:coverage_gcov_test,COMPILE_DEFINITIONS>,;-D>"
        -MD -MF ${object}.d -c ${sources}/${name}.cpp -o ${object}
      DEPENDS ${sources}/${name}.cpp DEPFILE ${object}.d
      COMMAND_EXPAND_LISTS VERBATIM)
    set(${name} ${object})
  endforeach()
  add_executable(coverage_llvm_test ${inner_test} ${library})
  target_link_libraries(coverage_llvm_test PRIVATE mayfly::gtest GTest::gtest_main)
  add_executable(coverage_llvm_plain ${plain} ${library})
  foreach(target IN ITEMS coverage_llvm_test coverage_llvm_plain)
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
    target_link_libraries(${target} PRIVATE ${runtime})
    target_link_options(${target} PRIVATE -u__llvm_profile_runtime)
    list(APPEND coverage_programs ${target})
  endforeach()
  list(APPEND coverage_definitions MAYFLY_LLVM_TEST="$<TARGET_FILE:coverage_llvm_test>"
    MAYFLY_LLVM_PLAIN="$<TARGET_FILE:coverage_llvm_plain>"
    MAYFLY_LLVM_PROFDATA="${MAYFLY_LLVM_PROFDATA}" MAYFLY_LLVM_COV="${MAYFLY_LLVM_COV}")
else()
  list(APPEND coverage_definitions MAYFLY_LLVM_TEST="" MAYFLY_LLVM_PLAIN="" MAYFLY_LLVM_PROFDATA="" MAYFLY_LLVM_COV="")
endif()
