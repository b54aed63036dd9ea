# What every target of Mayfly is compiled with. Linked PRIVATE, so that nothing of it reaches a consumer.
add_library(mayfly_settings INTERFACE)
target_compile_features(mayfly_settings INTERFACE cxx_std_20)
target_compile_options(mayfly_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual -Wconversion -Wno-sign-conversion
  -Wnull-dereference -Wformat=2 -Wimplicit-fallthrough -Woverloaded-virtual
  # gcc 12 reports designated initialisers that leave members to their documented defaults.
  -Wno-missing-field-initializers
  $<$<BOOL:${MAYFLY_WERROR}>:-Werror>)
if(MAYFLY_SANITIZE)
  target_compile_options(mayfly_settings INTERFACE -fsanitize=${MAYFLY_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(mayfly_settings INTERFACE -fsanitize=${MAYFLY_SANITIZE})
endif()
