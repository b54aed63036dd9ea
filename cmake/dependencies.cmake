# Every library that Mayfly links, with the versions of Debian 12 as the lower bound. docs/architecture.md says what each
# is for.
find_package(Threads REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(Boost 1.81 REQUIRED CONFIG COMPONENTS json)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(tomlplusplus 3.3 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(lxc REQUIRED IMPORTED_TARGET lxc>=5.0)
pkg_check_modules(libseccomp REQUIRED IMPORTED_TARGET libseccomp>=2.5)
if(MAYFLY_BUILD_FIXTURES OR MAYFLY_BUILD_TESTS)
  find_package(GTest 1.12 REQUIRED)
endif()
