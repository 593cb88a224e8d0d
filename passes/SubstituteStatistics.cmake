# cmake -DINPUT=... -DOUTPUT=... -P SubstituteStatistics.cmake: the declarations that mlir-tblgen
# makes of Passes.td, with statistics that count in every build of LLVM (Statistic.h).
file(READ "${INPUT}" text)
string(REPLACE "::mlir::Pass::Statistic " "::sortie::Statistic " text "${text}")
if(NOT text MATCHES "::sortie::Statistic ")
  message(FATAL_ERROR "no statistic found in ${INPUT}: has mlir-tblgen changed what it writes?")
endif()
# A file that stays as it is compiles nothing anew.
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" old)
endif()
if(NOT text STREQUAL old)
  file(WRITE "${OUTPUT}" "${text}")
endif()
