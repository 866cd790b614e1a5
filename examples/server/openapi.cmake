# Writes a C file with the bytes of a file: cmake -DIN=openapi.json -DOUT=openapi_document.c -P openapi.cmake
file(READ "${IN}" hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR len "${digits} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
set(line "0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,")
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "/* Made by openapi.cmake. */\n#include \"openapi_document.h\"\n\nconst unsigned char openapi_document[] = {\n${bytes}};\nconst size_t openapi_document_len = ${len};\n")
