# Modules that look at bytes of files and of the net as numbers: their sanitizer build checks alignment, too.
set(TW_MODULES_READING_BYTES base store import nn db)

# tw_module(NAME DEPS ... EXTERNAL ... HEADERS ... SOURCES ... TESTS ...)
#   One static library tw_<name> for the folder src/<name>. DEPS are our modules (check_layers compares them with the
#   includes), EXTERNAL are imported third-party targets, TESTS are compiled to one executable tw_<name>_test.
#   Sources are compiled by sixes (TW_UNITY): what is in an anonymous namespace has a name of its own in its module.
function(tw_module name)
  cmake_parse_arguments(M "" "" "DEPS;EXTERNAL;PRIVATE_EXTERNAL;HEADERS;SOURCES;TESTS;TEST_DEPS" ${ARGN})
  if(M_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tw_module(${name}): unknown arguments ${M_UNPARSED_ARGUMENTS}")
  endif()
  add_library(tw_${name} STATIC ${M_SOURCES})
  target_sources(tw_${name} PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/src" FILES ${M_HEADERS})
  list(TRANSFORM M_DEPS PREPEND tw_ OUTPUT_VARIABLE dep_targets)
  target_link_libraries(tw_${name} PUBLIC ${dep_targets} ${M_EXTERNAL} PRIVATE ${M_PRIVATE_EXTERNAL} tw_build_flags)
  target_include_directories(tw_${name} PUBLIC "${PROJECT_SOURCE_DIR}/src")
  set_property(TARGET tw_${name} PROPERTY TW_DEPS "${M_DEPS}")
  tw_unity(tw_${name})
  if(name IN_LIST TW_MODULES_READING_BYTES)
    set_property(TARGET tw_${name} PROPERTY TW_READS_BYTES ON)
  endif()
  _tw_tidy(tw_${name})
  if(TW_BUILD_TESTS AND M_TESTS)
    tw_test(tw_${name}_test SOURCES ${M_TESTS} DEPS ${name} ${M_TEST_DEPS})
  endif()
endfunction()

# tw_test(NAME SOURCES ... DEPS modules... [LABELS ...] [EXTERNAL ...] [DEFINITIONS ...])
function(tw_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;DEPS;LABELS;EXTERNAL;DEFINITIONS" ${ARGN})
  if(NOT TW_BUILD_TESTS)
    return()
  endif()
  if(NOT T_LABELS)
    set(T_LABELS unit)
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  add_executable(${name} ${T_SOURCES})
  list(TRANSFORM T_DEPS PREPEND tw_ OUTPUT_VARIABLE dep_targets)
  target_link_libraries(${name} PRIVATE ${dep_targets} ${T_EXTERNAL} GTest::gtest GTest::gmock GTest::gtest_main
    ${TW_RAPIDCHECK} tw_build_flags)
  # Where tests find committed golden files, and the optional real data beside the checkout.
  target_compile_definitions(${name} PRIVATE
    TW_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ${T_DEFINITIONS})
  _tw_test_headers()
  target_precompile_headers(${name} REUSE_FROM tw_test_headers)
  # The code under test is the product's at -O2; the tests' own compiles a fifth faster at -O1.
  target_compile_options(${name} PRIVATE -O1)
  include(GoogleTest)
  # One seed for the property tests, so that a run can be repeated; a test program started by hand takes a new one.
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT}
    ENVIRONMENT "RC_PARAMS=seed=20261125")
endfunction()

# Headers, JSON's above all, cost more than our own lines: several sources a compilation, and a full build takes half the
# time. Not for clang-tidy, which looks at each file as it stands.
option(TW_UNITY "Compile several sources at a time" ON)

function(tw_unity target)
  if(TW_UNITY AND NOT TW_CLANG_TIDY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
    # A class of one source with fields of that source's own types, which is no main file any more.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

function(_tw_tidy target)
  if(TW_CLANG_TIDY)
    set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY "${TW_CLANG_TIDY_PROGRAM};--quiet")
  endif()
endfunction()

# The headers that every test includes, compiled once: a program and not a library, so that its code is as position
# independent as that of the tests.
function(_tw_test_headers)
  if(TARGET tw_test_headers)
    return()
  endif()
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/tw_test_headers.cpp" CONTENT "int main() { return 0; }\n")
  add_executable(tw_test_headers "${PROJECT_BINARY_DIR}/tw_test_headers.cpp")
  target_link_libraries(tw_test_headers PRIVATE tw_base GTest::gtest tw_build_flags)
  target_compile_options(tw_test_headers PRIVATE -O1)
  target_precompile_headers(tw_test_headers PRIVATE <gtest/gtest.h> <string> <vector>)
endfunction()
