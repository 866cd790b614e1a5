/* A growing byte buffer with a mandatory limit. After a failure it is empty and stays failed, so that a chain of
 * appends needs one check at its end. Contents are always followed by a NUL. What is appended must not lie in the buffer
 * itself. */
#ifndef AIO_CORE_BUF_H
#define AIO_CORE_BUF_H

#include <stdarg.h>

#include "core/alloc.h"
#include "core/str.h"

typedef struct aio__buf {
  char *p; /* NULL while nothing was appended */
  size_t n, cap, max;
  const aio__alloc *al;
  aiorch_status failed; /* AIORCH_OK, AIORCH_E_NOMEM or AIORCH_E_TOO_LARGE */
} aio__buf;

void aio__buf_init(aio__buf *buf, const aio__alloc *al, size_t max);
void aio__buf_free(aio__buf *buf);
void aio__buf_reset(aio__buf *buf);                                         /* empty, not failed, memory kept */
aiorch_status aio__buf_reserve(aio__buf *buf, size_t more);
aiorch_status aio__buf_add(aio__buf *buf, const void *bytes, size_t len);
aiorch_status aio__buf_str(aio__buf *buf, aio__str text);
aiorch_status aio__buf_z(aio__buf *buf, const char *text);
aiorch_status aio__buf_char(aio__buf *buf, char c);
aiorch_status aio__buf_i64(aio__buf *buf, int64_t value);                   /* decimal */
aiorch_status aio__buf_u64(aio__buf *buf, uint64_t value);
/* The shortest form that reads back as the same value; '.' in any locale; "null" for NaN and infinities. */
aiorch_status aio__buf_f64(aio__buf *buf, double value);
aiorch_status aio__buf_fmt(aio__buf *buf, const char *format, ...)          /* no %f and friends: locale */
    __attribute__((format(printf, 2, 3)));
aio__str aio__buf_view(const aio__buf *buf);
const char *aio__buf_cstr(const aio__buf *buf);                             /* "" when empty */
/* Hands the memory over (free with aio__free) and leaves the buffer empty; NULL when failed or never written. */
char *aio__buf_take(aio__buf *buf, size_t *len);

#endif
