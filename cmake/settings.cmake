# What every target of Mayfly is compiled with. Linked PRIVATE, so that nothing of it reaches a consumer.
add_library(mayfly_warnings INTERFACE)
target_compile_features(mayfly_warnings INTERFACE cxx_std_20)
target_compile_options(mayfly_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual -Wconversion -Wno-sign-conversion
  -Wformat=2 -Wimplicit-fallthrough -Woverloaded-virtual
  # gcc 12 reports designated initialisers that leave members to their documented defaults.
  -Wno-missing-field-initializers
  # gcc 12's own std::string, once optimised (gcc bug 105329).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  $<$<BOOL:${MAYFLY_WERROR}>:-Werror>)

add_library(mayfly_settings INTERFACE)
target_link_libraries(mayfly_settings INTERFACE mayfly_warnings)
if(MAYFLY_SANITIZE)
  target_compile_options(mayfly_settings INTERFACE -fsanitize=${MAYFLY_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(mayfly_settings INTERFACE -fsanitize=${MAYFLY_SANITIZE})
endif()

# Where find_shipped() looks for Mayfly's own programs and files: in the build tree, and once it is installed.
include(GNUInstallDirs)
set(MAYFLY_BUILD_LIBEXEC_DIR ${mayfly_BINARY_DIR}/libexec/mayfly)
set(MAYFLY_INSTALL_LIBEXEC_DIR ${CMAKE_INSTALL_FULL_LIBEXECDIR}/mayfly)
