# mayfly_add_module(<name> COMPONENT <framework|gtest> DIRECTORY <dir> SOURCES <file>... [HEADERS <file>...]
#                   [PUBLIC <target>...] [PRIVATE <target>...])
#
# The one way to make a module: a static library mayfly_<name> with the alias mayfly::<name>, whose include path is its
# path in the source tree, installed and exported with its component.
function(mayfly_add_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "COMPONENT;DIRECTORY" "SOURCES;HEADERS;PUBLIC;PRIVATE")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_COMPONENT OR NOT arg_DIRECTORY OR NOT arg_SOURCES)
    message(FATAL_ERROR "mayfly_add_module(${name}): COMPONENT, DIRECTORY and SOURCES are required; "
                        "not understood: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  set(target mayfly_${name})
  list(TRANSFORM arg_SOURCES PREPEND ${arg_DIRECTORY}/)
  list(TRANSFORM arg_HEADERS PREPEND ${arg_DIRECTORY}/)
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(mayfly::${name} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR} FILES ${arg_HEADERS})
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE} $<BUILD_INTERFACE:mayfly_settings>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
  set_property(GLOBAL APPEND PROPERTY MAYFLY_${arg_COMPONENT}_MODULES mayfly::${name})
  if(MAYFLY_INSTALL)
    install(TARGETS ${target} EXPORT mayfly-${arg_COMPONENT}
      ARCHIVE COMPONENT ${arg_COMPONENT}
      FILE_SET HEADERS COMPONENT ${arg_COMPONENT})
  endif()
endfunction()

# mayfly_add_program(<name> DIRECTORY <dir> SOURCES <file>... [LIBRARIES <target>...] [STATIC | PRELOADED])
#
# A program that Mayfly starts itself: built into <build>/libexec/mayfly, installed to libexec/mayfly, found by
# find_shipped(). STATIC links it statically and without sanitizers, so that it runs in any root file system. PRELOADED
# makes a library lib<name>.so instead that users' programs are loaded with: without sanitizers and counters, whatever the
# user builds the rest with, and with no need but libc.
function(mayfly_add_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "STATIC;PRELOADED" "DIRECTORY" "SOURCES;LIBRARIES")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_DIRECTORY OR NOT arg_SOURCES)
    message(FATAL_ERROR "mayfly_add_program(${name}): DIRECTORY and SOURCES are required; "
                        "not understood: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  list(TRANSFORM arg_SOURCES PREPEND ${arg_DIRECTORY}/)
  if(arg_PRELOADED)
    add_library(${name} MODULE ${arg_SOURCES})
    set(plain -fno-sanitize=all -fno-profile-arcs -fno-test-coverage
      $<$<CXX_COMPILER_ID:Clang>:-fno-profile-instr-generate> $<$<CXX_COMPILER_ID:Clang>:-fno-coverage-mapping>)
    target_compile_options(${name} PRIVATE -fno-exceptions -fno-rtti -fvisibility=hidden ${plain})
    target_link_options(${name} PRIVATE -Wl,--as-needed -Wl,-z,defs -Wl,-Bsymbolic -fno-sanitize=all)
  else()
    add_executable(${name} ${arg_SOURCES})
  endif()
  if(arg_STATIC)
    target_link_options(${name} PRIVATE -static)
  endif()
  if(arg_STATIC OR arg_PRELOADED)
    target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} mayfly_warnings)
  else()
    target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} mayfly_settings)
  endif()
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${MAYFLY_BUILD_LIBEXEC_DIR} LIBRARY_OUTPUT_DIRECTORY ${MAYFLY_BUILD_LIBEXEC_DIR})
  set_property(GLOBAL APPEND PROPERTY MAYFLY_PROGRAMS ${name})
  if(MAYFLY_INSTALL)
    install(TARGETS ${name}
      RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/mayfly COMPONENT framework
      LIBRARY DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/mayfly COMPONENT framework)
  endif()
endfunction()

# mayfly_add_shipped_files(<subdirectory> <file>...)
#
# Files that Mayfly needs at run time: copied to <build>/libexec/mayfly/<subdirectory>, installed to
# libexec/mayfly/<subdirectory>, found by find_shipped("<subdirectory>/<name>").
function(mayfly_add_shipped_files subdirectory)
  foreach(file IN LISTS ARGN)
    cmake_path(GET file FILENAME filename)
    configure_file(${file} ${MAYFLY_BUILD_LIBEXEC_DIR}/${subdirectory}/${filename} COPYONLY)
    if(MAYFLY_INSTALL)
      install(FILES ${file} DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/mayfly/${subdirectory} COMPONENT framework)
    endif()
  endforeach()
endfunction()

# mayfly_add_umbrella(<component>): the target mayfly::<component>, which stands for all modules of the component so far.
function(mayfly_add_umbrella component)
  get_property(modules GLOBAL PROPERTY MAYFLY_${component}_MODULES)
  add_library(mayfly_${component} INTERFACE)
  add_library(mayfly::${component} ALIAS mayfly_${component})
  target_link_libraries(mayfly_${component} INTERFACE ${modules})
  set_target_properties(mayfly_${component} PROPERTIES EXPORT_NAME ${component})
  if(MAYFLY_INSTALL)
    install(TARGETS mayfly_${component} EXPORT mayfly-${component})
  endif()
endfunction()
