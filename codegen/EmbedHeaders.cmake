# Writes the text of headers into a C++ file, so that the compiler needs no files beside it.
#
#   cmake -D ROOT=<folder> -D "HEADERS=name=file,name=file..." -D OUTPUT=<file> -P EmbedHeaders.cmake
#
# `name` is what an #include says, `file` is relative to ROOT.

set(text "// Made by codegen/EmbedHeaders.cmake.\n#include \"codegen/KernelHeaders.h\"\n\n")
string(APPEND text "const sortie::codegen::KernelHeader sortie::codegen::kKernelHeaders[] = {\n")
string(REPLACE "," ";" HEADERS "${HEADERS}")
foreach(header IN LISTS HEADERS)
  string(REGEX MATCH "^([^=]+)=(.+)$" matched "${header}")
  file(READ ${ROOT}/${CMAKE_MATCH_2} contents)
  string(APPEND text "    {\"${CMAKE_MATCH_1}\",\n     R\"sortie_header(${contents})sortie_header\"},\n")
endforeach()
list(LENGTH HEADERS count)
string(APPEND text "};\nconst unsigned sortie::codegen::kKernelHeaderCount = ${count};\n")
file(WRITE ${OUTPUT} "${text}")
