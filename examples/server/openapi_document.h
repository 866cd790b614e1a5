/* examples/server/openapi.json as it was when this was built (made by CMake: openapi.cmake). */
#ifndef OPENAPI_DOCUMENT_H
#define OPENAPI_DOCUMENT_H

#include <stddef.h>

extern const unsigned char openapi_document[];
extern const size_t openapi_document_len;

#endif
