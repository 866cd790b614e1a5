/* Writes JSON into a buffer: commas and escapes are its care. Reading JSON is text/json.h. */
#ifndef AIO_CORE_JSON_WRITER_H
#define AIO_CORE_JSON_WRITER_H

#include "core/buf.h"

enum { AIO__JSON_DEPTH_MAX = 64 };

typedef struct aio__json_writer {
  aio__buf *buf;
  int depth;
  uint64_t has_member; /* one bit a level: a comma is due */
} aio__json_writer;

void aio__jw_init(aio__json_writer *w, aio__buf *buf);
void aio__jw_object(aio__json_writer *w);     /* { */
void aio__jw_object_end(aio__json_writer *w); /* } */
void aio__jw_array(aio__json_writer *w);
void aio__jw_array_end(aio__json_writer *w);
void aio__jw_key(aio__json_writer *w, const char *key); /* the next value is this member's */
void aio__jw_str(aio__json_writer *w, aio__str text);   /* bytes that are not UTF-8 become U+FFFD */
void aio__jw_z(aio__json_writer *w, const char *text);  /* NULL writes null */
void aio__jw_i64(aio__json_writer *w, int64_t value);
void aio__jw_f64(aio__json_writer *w, double value);
void aio__jw_bool(aio__json_writer *w, bool value);
void aio__jw_null(aio__json_writer *w);
void aio__jw_raw(aio__json_writer *w, aio__str json);   /* a finished value */
/* Member and value in one. */
void aio__jw_kstr(aio__json_writer *w, const char *key, aio__str text);
void aio__jw_kz(aio__json_writer *w, const char *key, const char *text);
void aio__jw_ki64(aio__json_writer *w, const char *key, int64_t value);
void aio__jw_kf64(aio__json_writer *w, const char *key, double value);
void aio__jw_kbool(aio__json_writer *w, const char *key, bool value);
void aio__jw_knull(aio__json_writer *w, const char *key);
/* nano-USD as an exact decimal string without trailing zeros: 1500000000 -> "1.5". */
void aio__jw_kusd(aio__json_writer *w, const char *key, int64_t nano_usd);
void aio__usd_text(int64_t nano_usd, char out[32]);

#endif
