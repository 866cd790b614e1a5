/* Unpacks what the build has packed (cmake/embed.cmake): raw DEFLATE, read by zlib. */
#ifndef AIO_TEXT_UNPACK_H
#define AIO_TEXT_UNPACK_H

#include "core/alloc.h"
#include "core/data.h"

/* The text, for the caller to free with aio__free; NULL when out of memory, or when the data is not what it says. */
char *aio__unpack(const aio__packed *data, const aio__alloc *al);

#endif
