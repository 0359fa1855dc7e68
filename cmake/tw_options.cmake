# Compiler, linker and package settings shared by every target; targets get them through tw_build_flags.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
# One -O2 build serves product and tests: Eigen at -O0 makes learning tests unusable.
# NDEBUG switches off the assertions of libraries (Eigen's cost in inner loops); ours, TW_CHECK, stay. Sanitizers see
# them all, and build at -O1: half the time, and better stack traces.
if(TW_CLANG_TIDY)
  # Never run: what it is built for are the words of clang-tidy and clang.
  set(CMAKE_CXX_FLAGS_RELEASE "-O0 -g0 -DNDEBUG")
elseif(TW_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")
else()
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
endif()

find_program(TW_CCACHE ccache)
if(TW_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${TW_CCACHE}")
endif()

add_library(tw_build_flags INTERFACE)
target_compile_options(tw_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror
  # TW_TRY is a GNU statement expression, written with __extension__; clang still warns.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-gnu-statement-expression>
  # What ships is one binary for x86-64-v3; wider kernels are chosen at run time.
  -march=x86-64-v3
  # Contraction would make a sum depend on inlining: batch and streaming must give the same bits.
  -ffp-contract=off
  -fno-omit-frame-pointer)
if(TW_SANITIZE STREQUAL "address")
  # g++ checks every access for null and for alignment; together they double the time of a build (object-size goes with
  # them). Null ends in AddressSanitizer's SEGV as well; alignment is checked in targets that read bytes as numbers
  # (TW_READS_BYTES) and by clang in the fuzz preset, which leaves nothing out. tests/sanitizers shows what is caught.
  target_compile_options(tw_build_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
    # Instrumented code makes g++ see uninitialised values where there are none; the other builds judge warnings.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-error>
    $<$<CXX_COMPILER_ID:GNU>:-fno-sanitize=null,object-size>
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<BOOL:$<TARGET_PROPERTY:TW_READS_BYTES>>>>:-fno-sanitize=alignment>)
  target_link_options(tw_build_flags INTERFACE -fsanitize=address,undefined)
elseif(TW_SANITIZE STREQUAL "thread")
  target_compile_options(tw_build_flags INTERFACE -fsanitize=thread)
  target_link_options(tw_build_flags INTERFACE -fsanitize=thread)
elseif(NOT TW_SANITIZE STREQUAL "")
  message(FATAL_ERROR "TW_SANITIZE is '${TW_SANITIZE}'; it may be empty, address or thread")
endif()
find_program(TW_MOLD mold)
find_program(TW_LLD ld.lld)
if(TW_MOLD)
  target_link_options(tw_build_flags INTERFACE -fuse-ld=mold)
elseif(TW_LLD)
  target_link_options(tw_build_flags INTERFACE -fuse-ld=lld)
endif()
if(TW_CLANG_TIDY)
  find_program(TW_CLANG_TIDY_PROGRAM NAMES clang-tidy-14 clang-tidy REQUIRED)
  # The program of this build is never run. Debian's libfmt comes from g++, which names a function template of it
  # otherwise than clang does.
  add_link_options(-Wl,--unresolved-symbols=ignore-all)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(date REQUIRED)
find_package(Eigen3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(LibLZMA REQUIRED)
find_package(SQLite3 REQUIRED)
pkg_check_modules(libarchive REQUIRED IMPORTED_TARGET libarchive)
find_path(TW_CLI11_DIR CLI/CLI.hpp REQUIRED)
if(TW_BUILD_TESTS)
  find_package(GTest REQUIRED)
  find_library(TW_RAPIDCHECK rapidcheck REQUIRED)
endif()
if(TW_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
