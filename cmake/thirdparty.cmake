# One imported target for each third-party library, so that a module names what it is the home of.
# All headers are SYSTEM: our warnings do not judge other people's code.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(loam_pkg target package)
  pkg_check_modules(${target} REQUIRED IMPORTED_TARGET GLOBAL ${package})
  add_library(loam::${target} ALIAS PkgConfig::${target})
endfunction()

loam_pkg(fmt fmt)
loam_pkg(sodium libsodium)
loam_pkg(sqlite sqlite3)
loam_pkg(curl libcurl)
loam_pkg(openssl openssl)
loam_pkg(seccomp libseccomp)
loam_pkg(tomlplusplus tomlplusplus)
loam_pkg(edit libedit)

find_package(nlohmann_json REQUIRED)
add_library(loam::json ALIAS nlohmann_json::nlohmann_json)
find_package(CLI11 REQUIRED)
add_library(loam::cli11 ALIAS CLI11::CLI11)
find_package(Boost 1.74 REQUIRED)
add_library(loam::boost ALIAS Boost::headers)
find_package(GTest REQUIRED)
add_library(loam_gtest INTERFACE)
target_link_libraries(loam_gtest INTERFACE GTest::gtest GTest::gtest_main)
add_library(loam::gtest ALIAS loam_gtest)

# llama.cpp is built once into the cache, keyed by pin, compiler, flags and target (tools/deps).
add_library(loam_llama INTERFACE)
if(LOAM_LLAMA)
  execute_process(
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/deps path llama
    OUTPUT_VARIABLE LOAM_LLAMA_DIR OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE missing)
  if(missing)
    message(FATAL_ERROR "llama.cpp is not built yet: run tools/deps build llama")
  endif()
  target_include_directories(loam_llama SYSTEM INTERFACE ${LOAM_LLAMA_DIR}/include)
  target_compile_definitions(loam_llama INTERFACE LOAM_HAVE_LLAMA)
  # The model of the tests that need a real one; they fail if it is not there.
  execute_process(
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/deps path starter-model
    OUTPUT_VARIABLE LOAM_TEST_MODEL OUTPUT_STRIP_TRAILING_WHITESPACE)
  file(STRINGS ${LOAM_LLAMA_DIR}/link.txt llama_libraries)  # in link order, absolute or -l
  target_link_libraries(loam_llama INTERFACE ${llama_libraries} Threads::Threads ${CMAKE_DL_LIBS})
endif()
add_library(loam::llama ALIAS loam_llama)
