/* A value that was read, written again. */
#ifndef AIO_TEXT_JSON_WRITE_H
#define AIO_TEXT_JSON_WRITE_H

#include "core/json_writer.h"
#include "text/json.h"

/* Members stay in their order; numbers are whole where they are (to 2^53), else the shortest that reads as the same double. The failure is
 * the buffer's. */
void aio__json_write(aio__json_writer *w, const aio__json_value *value);

#endif
