# loam_module(<name> DEPENDS <modules...> LIBRARIES <third-party targets...>)
#
# Declares the module in the current folder: every *.cc becomes part of library loam_<name>, except
#   *_test.cc   -> one program <name>_test, run by ctest case by case
#   *_fuzz.cc   -> one libFuzzer program each (LOAM_FUZZ); else a test that runs tests/corpora/<stem>
#   *_bench.cc  -> one program each (LOAM_BENCH)
#   main.cc     -> left to the folder's own CMakeLists.txt
#   testing/*.cc -> library loam_<name>_testing, for TEST_LIBRARIES of this module and of others
# DEPENDS is the closed list of modules that its files may include; tools/house.py checks it against
# the includes and against the layers. LIBRARIES are private: a third-party header has one home.
# NOT_UNDER_SANITIZERS is a GoogleTest pattern of tests that a sanitizer's runtime makes impossible.
function(loam_module name)
  cmake_parse_arguments(ARG "" "NOT_UNDER_SANITIZERS" "DEPENDS;LIBRARIES;TEST_LIBRARIES" ${ARGN})
  file(GLOB all CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(fuzzers ${all})
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  set(benches ${all})
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "(_test|_fuzz|_bench)\\.cc$|/main\\.cc$")

  list(TRANSFORM ARG_DEPENDS PREPEND loam_)
  add_library(loam_${name} STATIC ${sources})
  set_target_properties(loam_${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(loam_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(loam_${name} PUBLIC ${ARG_DEPENDS} PRIVATE loam_flags ${ARG_LIBRARIES})

  file(GLOB testing CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/testing/*.cc)
  if(testing AND BUILD_TESTING)
    add_library(loam_${name}_testing STATIC EXCLUDE_FROM_ALL ${testing})
    target_link_libraries(loam_${name}_testing PUBLIC loam_${name} PRIVATE loam_flags)
  endif()
  if(tests AND BUILD_TESTING AND NOT LOAM_FUZZ)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE
      loam_${name} loam_flags ${ARG_LIBRARIES} ${ARG_TEST_LIBRARIES} loam::gtest)
    target_compile_definitions(${name}_test PRIVATE
      LOAM_TESTDATA="${CMAKE_CURRENT_SOURCE_DIR}/testdata")
    set(filter)
    if(LOAM_SANITIZE AND ARG_NOT_UNDER_SANITIZERS)
      set(filter TEST_FILTER "-${ARG_NOT_UNDER_SANITIZERS}")
    endif()
    gtest_discover_tests(${name}_test DISCOVERY_TIMEOUT 60 ${filter}
      PROPERTIES TIMEOUT 300 ENVIRONMENT "LOAM_TEST_MODEL=${LOAM_TEST_MODEL}")
  endif()
  if(BUILD_TESTING AND NOT LOAM_FUZZ)  # what fuzzing found earlier, as tests without a fuzzer
    foreach(file IN LISTS fuzzers)
      get_filename_component(stem ${file} NAME_WE)
      set(corpus ${CMAKE_SOURCE_DIR}/tests/corpora/${stem})
      if(IS_DIRECTORY ${corpus})
        add_executable(${stem}_corpus ${file} ${CMAKE_SOURCE_DIR}/tests/corpus_replay.cc)
        target_link_libraries(${stem}_corpus PRIVATE loam_${name} loam_flags)
        add_test(NAME ${stem}_corpus COMMAND ${stem}_corpus ${corpus})
      endif()
    endforeach()
  endif()
  foreach(kind IN ITEMS fuzz bench)
    string(TOUPPER ${kind} option)
    if(NOT LOAM_${option})
      continue()
    endif()
    set(files ${fuzzers})
    if(kind STREQUAL "bench")
      set(files ${benches})
    endif()
    foreach(file IN LISTS files)
      get_filename_component(stem ${file} NAME_WE)
      add_executable(${stem} ${file})
      target_link_libraries(${stem} PRIVATE loam_${name} loam_flags)
      if(kind STREQUAL "fuzz")
        target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
      endif()
    endforeach()
  endforeach()
endfunction()
