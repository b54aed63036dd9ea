# Two components: `framework` (libraries, the mayfly command, the programs it starts) and `gtest` (fixtures, matchers).
#   find_package(mayfly 0.1 REQUIRED COMPONENTS gtest)
#   target_link_libraries(my_test PRIVATE mayfly::gtest)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mayfly)

install(EXPORT mayfly-framework NAMESPACE mayfly:: FILE mayfly-framework-targets.cmake DESTINATION ${package_dir}
  COMPONENT framework)
if(TARGET mayfly_gtest)
  install(EXPORT mayfly-gtest NAMESPACE mayfly:: FILE mayfly-gtest-targets.cmake DESTINATION ${package_dir}
    COMPONENT gtest)
  install(FILES cmake/mayfly-discover-tests.cmake cmake/mayfly-discover-suites.cmake DESTINATION ${package_dir}
    COMPONENT gtest)
endif()

configure_package_config_file(cmake/mayfly-config.cmake.in ${mayfly_BINARY_DIR}/mayfly-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
# Before 1.0 a new minor version may break its users.
write_basic_package_version_file(${mayfly_BINARY_DIR}/mayfly-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${mayfly_BINARY_DIR}/mayfly-config.cmake ${mayfly_BINARY_DIR}/mayfly-config-version.cmake
  DESTINATION ${package_dir} COMPONENT framework)
