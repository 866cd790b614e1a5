/* When a server wants to be asked again. */
#ifndef AIO_NET_RETRY_AFTER_H
#define AIO_NET_RETRY_AFTER_H

#include "core/str.h"

/* "Retry-After" (RFC 9110: seconds or an HTTP date) and "retry-after-ms" as milliseconds from now; -1 for what is neither, is in the
 * past or above a day. `now_ms` is wall time. Empty texts were not sent; the one in milliseconds comes first. */
int64_t aio__retry_after_ms(aio__str retry_after, aio__str retry_after_ms, int64_t now_ms);
/* A protobuf Duration as JSON has it ("34s", "1.5s"), with the same bounds. */
int64_t aio__retry_duration_ms(aio__str duration);

#endif
