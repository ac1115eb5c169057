# Flags for our own targets only: third-party code is built elsewhere and included as SYSTEM.
add_library(loam_flags INTERFACE)
target_compile_options(loam_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # LOAM_TRY is a statement expression (marked __extension__, which g++ honours and clang does not).
  target_compile_options(loam_flags INTERFACE -Wno-gnu-statement-expression-from-macro-expansion)
endif()
if(LOAM_SANITIZE)
  target_compile_options(loam_flags INTERFACE -fsanitize=${LOAM_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(loam_flags INTERFACE -fsanitize=${LOAM_SANITIZE})
endif()
if(LOAM_FUZZ)
  target_compile_options(loam_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined)
  target_link_options(loam_flags INTERFACE -fsanitize=address,undefined)
endif()

find_program(LOAM_CCACHE ccache)
if(LOAM_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${LOAM_CCACHE})
endif()
find_program(LOAM_MOLD mold)
if(LOAM_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
find_package(Python3 REQUIRED COMPONENTS Interpreter)
