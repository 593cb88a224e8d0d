# Sortie's own CMake functions.
#
#   sortie_add_library(NAME source... [LINK lib...] [DEPENDS target...])
#   sortie_add_tool(NAME source... [LINK lib...])            installed executable
#   sortie_add_test_tool(NAME source... [LINK lib...])       executable that lit tests run
#   sortie_add_unit_test(NAME source... [LINK lib...] [OPTIMIZED | BOTH])
#                                                            GoogleTest program, a ctest test
#   sortie_add_emulated_test(NAME source... [LINK lib...])   unit test that runs kernels as fibers
#   sortie_add_fuzzer(NAME source... [LINK lib...] [CORPUS dir])  libFuzzer program (clang only)
#   sortie_precompile(target header... | REUSE_FROM target)
#                                  reads headers that all sources of a library include only once
#   sortie_link_dylib(target)      the executable takes MLIR and LLVM from their shared libraries
#   sortie_link_static(target)     ... from archives; also libstdc++ and libgcc (the runner)
#   sortie_link_archives(target)   ... from archives, the C++ library as the compiler has it (tests)
#
# Libraries never decide where LLVM comes from: each depends on the interface target SortieLLVM,
# which asks the executable (or shared library) that is being linked. So a library is compiled once
# and serves both sortie-opt (shared MLIR) and sortie-run (archives), and no binary can have both.

include_guard(GLOBAL)

# Archives of MLIR that the runtime needs, dependents first: IR, the two parsers, nothing of the
# compiler. They are named by file, because the package's own targets depend on the LLVM dylib.
set(SORTIE_MLIR_ARCHIVES
  MLIRParser MLIRAsmParser MLIRBytecodeReader MLIRBytecodeOpInterface MLIRSideEffectInterfaces
  MLIRIR MLIRSupport
  LLVMSupport LLVMDemangle)

set(_sortie_archives "")
foreach(archive IN LISTS SORTIE_MLIR_ARCHIVES)
  list(APPEND _sortie_archives "$<TARGET_FILE:${archive}>")
endforeach()

# The source of LLVM is the property SORTIE_LLVM of the target being linked: `dylib` or `archives`.
add_library(SortieLLVM INTERFACE)
set(_sortie_source "$<TARGET_PROPERTY:SORTIE_LLVM>")
target_link_libraries(SortieLLVM INTERFACE
  "$<$<STREQUAL:${_sortie_source},dylib>:MLIR;LLVM>"
  "$<$<STREQUAL:${_sortie_source},archives>:-Wl,--start-group;${_sortie_archives};-Wl,--end-group;z;zstd;tinfo;Threads::Threads;${CMAKE_DL_LIBS};m>")

# Sources, then the keyword arguments, of one of the functions below.
macro(_sortie_parse)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "OPTIMIZED;BOTH" "CORPUS" "LINK;DEPENDS")
endmacro()

function(sortie_add_library name)
  _sortie_parse()
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} SortieLLVM)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# Headers are written <as in the sources>. The options are for ccache: it sees through no precompiled
# header of gcc without the first, and takes no two of clang for the same one without the second. clang
# complains of what the C++ library's headers use themselves when it has them precompiled; clang-tidy,
# which reads them again, tells of deprecated functions.
function(sortie_precompile target)
  set(headers PRIVATE ${ARGN})
  if(ARGV1 STREQUAL "REUSE_FROM")
    set(headers ${ARGN})
    if(SORTIE_FUZZ) # what is fuzzed has a flag of its own, and clang wants a header of the same flags
      get_target_property(headers ${ARGV2} PRECOMPILE_HEADERS)
      list(PREPEND headers PRIVATE)
    endif()
  endif()
  target_precompile_headers(${target} ${headers})
  if(NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
    target_compile_options(${target} PRIVATE
      $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
      "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp -Wno-deprecated-declarations>")
  endif()
endfunction()

function(sortie_link_dylib target)
  set_target_properties(${target} PROPERTIES SORTIE_LLVM dylib)
endfunction()

function(sortie_link_archives target)
  set_target_properties(${target} PROPERTIES SORTIE_LLVM archives)
  target_link_options(${target} PRIVATE -Wl,--gc-sections -Wl,--as-needed)
endfunction()

function(_sortie_add_executable name)
  add_executable(${name} ${ARGN})
  if(SORTIE_SANITIZE)
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:SortieSanitizerOptions>)
  endif()
endfunction()

# Sanitizers bring their own C++ run-time parts, which want the shared libstdc++.
function(sortie_link_static target)
  sortie_link_archives(${target})
  if(NOT SORTIE_SANITIZE)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc
      $<$<CONFIG:Release>:-Wl,-s>) # a fifth of the file is names that nobody reads
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:SortiePortability>)
  endif()
endfunction()

function(sortie_add_tool name)
  _sortie_parse()
  _sortie_add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} SortieLLVM)
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# Tools of tests are compilers' tools that are not installed, apart from those that are.
function(sortie_add_test_tool name)
  _sortie_parse()
  _sortie_add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} SortieLLVM)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/test)
  sortie_link_dylib(${name})
endfunction()

# Unit tests link the archives unless sortie_link_dylib says otherwise: tests of runtime/ are then
# linked as sortie-run is. Tests of dialects and passes call sortie_link_dylib(NAME).
#
# With SORTIE_TESTS_ONCE, as in CI, a test is built and run by one preset alone: the sanitizers', or
# the optimized one if it is OPTIMIZED (it says why). BOTH is for tests of bits that compilers and
# flags could change, in code whose reads out of bounds only the sanitizers see.
function(sortie_add_unit_test name)
  _sortie_parse()
  _sortie_add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} SortieLLVM GTest::gtest GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/unit)
  sortie_link_archives(${name})
  # Their own speed does not matter, the time to compile them does.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  set(is_elsewhere FALSE)
  if(SORTIE_TESTS_ONCE AND NOT ARG_BOTH)
    if(SORTIE_SANITIZE)
      set(is_elsewhere ${ARG_OPTIMIZED})
    elseif(NOT ARG_OPTIMIZED)
      set(is_elsewhere TRUE)
    endif()
  endif()
  if(is_elsewhere)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL TRUE)
    return()
  endif()
  add_dependencies(unit-tests ${name})
  add_test(NAME unit.${name} COMMAND ${name})
  set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 600)
endfunction()

# Kernels in the sources get <sortie_hardware.h> from test/emulation, see Launcher.h there.
function(sortie_add_emulated_test name)
  sortie_add_unit_test(${name} ${ARGN} OPTIMIZED)
  target_link_libraries(${name} PRIVATE SortieEmulatedKernels)
endfunction()

# A fuzzer is built by the preset `asan` only. ctest runs it for SORTIE_FUZZ_SECONDS on a scratch
# corpus directory, seeded from CORPUS. What LINK names is compiled so that the fuzzer sees which
# branches an input takes.
function(sortie_add_fuzzer name)
  if(NOT SORTIE_FUZZ)
    return()
  endif()
  _sortie_parse()
  _sortie_add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} SortieLLVM)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  foreach(library IN LISTS ARG_LINK ITEMS ${name})
    target_compile_options(${library} PRIVATE -fsanitize=fuzzer-no-link)
  endforeach()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/fuzz)
  sortie_link_archives(${name})
  add_dependencies(fuzzers ${name})
  set(scratch ${CMAKE_CURRENT_BINARY_DIR}/${name}.corpus)
  file(MAKE_DIRECTORY ${scratch})
  add_test(NAME fuzz.${name}
    COMMAND ${name} -max_total_time=${SORTIE_FUZZ_SECONDS} -timeout=10 -rss_limit_mb=2048
            -print_final_stats=1 ${scratch} ${ARG_CORPUS})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz)
endfunction()
