# Compiler and linker flags of the whole project.

include_guard(GLOBAL)
include(CheckLinkerFlag)

# A contracted multiply-add rounds once where the numerics contract rounds twice: off, everywhere.
add_compile_options(-ffp-contract=off)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>)
add_compile_options(-Wall -Wextra -ffunction-sections -fdata-sections)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fvisibility-inlines-hidden>)
# LLVM's headers and generated code leave parameters unused; gcc 12 sees ghosts in std::optional; clang
# complains of loops in kernels that it does not unroll for a CPU.
add_compile_options(-Wno-unused-parameter
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>)

if(SORTIE_SANITIZE)
  add_compile_options(-fsanitize=${SORTIE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    -g1)
  add_link_options(-fsanitize=${SORTIE_SANITIZE} -fno-sanitize-recover=all)
endif()

if(SORTIE_FUZZ AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "SORTIE_FUZZ needs clang: use the preset `asan`")
endif()

find_program(SORTIE_CCACHE ccache)
if(SORTIE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${SORTIE_CCACHE})
  # Or ccache leaves out what uses a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
    ${SORTIE_CCACHE})
endif()

# Debian's lld-22 has no plain ld.lld in the path: -B names the folder where LLVM's package has it.
set(SORTIE_LLD_FLAGS -fuse-ld=lld -B${MLIR_DIR}/../../../bin)
check_linker_flag(CXX "${SORTIE_LLD_FLAGS}" SORTIE_HAVE_LLD)
if(SORTIE_HAVE_LLD)
  add_link_options(${SORTIE_LLD_FLAGS})
endif()
