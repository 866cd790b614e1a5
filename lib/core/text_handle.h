/* struct aiorch_text: a text that a call returned. */
#ifndef AIO_CORE_TEXT_HANDLE_H
#define AIO_CORE_TEXT_HANDLE_H

#include "core/buf.h"

/* Makes a handle from what is in the buffer and empties the buffer. AIORCH_OK, or the buffer's failure. */
aiorch_status aio__text_from_buf(aio__buf *buf, aiorch_text **out);

#endif
