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
loam_pkg(re2 re2)
loam_pkg(xxhash libxxhash)
loam_pkg(zstd libzstd)

add_library(loam_cld2 INTERFACE)  # has no package file
target_link_libraries(loam_cld2 INTERFACE cld2)
add_library(loam::cld2 ALIAS loam_cld2)

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
find_package(rapidcheck REQUIRED)  # for tests too: properties over generated values
add_library(loam_rapidcheck INTERFACE)
target_link_libraries(loam_rapidcheck INTERFACE rapidcheck rapidcheck_gtest)
add_library(loam::rapidcheck ALIAS loam_rapidcheck)

# DuckDB is loaded when it is asked for (dataset/parquet.h): all that is known here is the name of the folder
# that tools/deps puts it into.
execute_process(
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/deps place duckdb
  OUTPUT_VARIABLE duckdb OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
cmake_path(GET duckdb PARENT_PATH duckdb)
cmake_path(GET duckdb FILENAME duckdb)
add_library(loam_duckdb INTERFACE)
target_compile_definitions(loam_duckdb INTERFACE LOAM_DUCKDB_FOLDER="${duckdb}")
add_library(loam::duckdb ALIAS loam_duckdb)

# llama.cpp is built once into the cache, keyed by pin, compiler, flags and target (tools/deps).
# What it was built from and how is LOAM_LLAMA_BUILD_ID, for ModelInfo::engine_build.
function(loam_add_llama target build)
  execute_process(
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/deps path ${build}
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE missing)
  if(missing)
    message(FATAL_ERROR "llama.cpp is not built yet: run tools/deps build ${build}")
  endif()
  file(STRINGS ${folder}/build-id.txt build_id LIMIT_COUNT 1)
  file(STRINGS ${folder}/link.txt libraries)  # in link order, absolute or -l
  target_include_directories(${target} SYSTEM INTERFACE ${folder}/include)
  target_compile_definitions(${target} INTERFACE
    LOAM_HAVE_LLAMA LOAM_LLAMA_BUILD_ID="${build_id}")
  target_link_libraries(${target} INTERFACE ${libraries} Threads::Threads ${CMAKE_DL_LIBS})
endfunction()

add_library(loam_llama INTERFACE)
if(LOAM_LLAMA)
  loam_add_llama(loam_llama llama)
  # The model of the tests that need a real one; they fail if it is not there.
  execute_process(
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/deps path starter-model
    OUTPUT_VARIABLE LOAM_TEST_MODEL OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
add_library(loam::llama ALIAS loam_llama)
if(LOAM_AVX512)
  add_library(loam_llama_v4 INTERFACE)
  loam_add_llama(loam_llama_v4 llama-x86-64-v4)
  add_library(loam::llama_v4 ALIAS loam_llama_v4)
endif()
