/*
 * What must hold of any bytes that a decoder is fed: fed at once, in small pieces and in halves they mean the same; what goes out is
 * UTF-8 without NUL; tool calls start once and end once; tokens are counts; an error has a status and a message of one line.
 *
 * The first byte of an input says how the answer comes: 's' a stream, 't' a stream that is called text/plain, 'w' whole, and '4', '5', '9'
 * under the HTTP statuses 400, 500 and 429.
 */
#ifndef AIO_TESTS_DECODE_CHECK_H
#define AIO_TESTS_DECODE_CHECK_H

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "support/neutral.h"

typedef struct decode_outcome {
  aiorch_status status;
  aio__buf json;
} decode_outcome;

static void decode_outcome_check(const collector *c, const aio__decoder *d, aiorch_status st) {
  FUZZ_CHECK(!c->bad);
  FUZZ_CHECK(st <= AIORCH_OK && d->error.status == st);
  FUZZ_CHECK(st != AIORCH_OK || (d->terminal && c->tools_ended == c->tool_count));
  FUZZ_CHECK(c->tool_count == d->result.tool_calls && c->tools_ended <= c->tool_count);
  FUZZ_CHECK(d->result.finish_reason >= AIORCH_FINISH_NONE && d->result.finish_reason <= AIORCH_FINISH_ERROR);
  FUZZ_CHECK(st != AIORCH_OK || d->result.finish_reason != AIORCH_FINISH_NONE);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) FUZZ_CHECK(d->result.usage.n[i] >= 0 && d->result.usage.n[i] <= INT64_C(1) << 53);

  aio__str message = aio__str_z(d->error.message), model = aio__str_z(d->result.model);
  FUZZ_CHECK(st == AIORCH_OK || message.n > 0);
  FUZZ_CHECK(message.n <= AIO__WIRE_MESSAGE_MAX && aio__utf8_check(message, NULL) == message.n && !memchr(message.p, '\n', message.n));
  FUZZ_CHECK(aio__utf8_check(model, NULL) == model.n);
}

static decode_outcome decode_once(const aio__codec *codec, const aio__wire_reply *reply, aio__wire_framing asked, aio__str body, size_t step) {
  const aio__codec_target target = {.key = AIO__LIT("a-key-of-ours-0123456789")};
  decode_outcome out;
  collector c;
  aio__decoder d;
  aio__json_writer w;
  collector_init(&c);
  aio__decoder_init(&d, codec, &target, &c.sink, aio__alloc_default());
  out.status = neutral_decode(&d, reply, asked, body, step);
  decode_outcome_check(&c, &d, out.status);
  aio__buf_init(&out.json, aio__alloc_default(), 64 << 20);
  aio__jw_init(&w, &out.json);
  collector_write(&w, &c, &d, out.status, NULL);
  aio__decoder_free(&d);
  collector_free(&c);
  return out;
}

static void decode_check_reply(const aio__codec *codec, const aio__wire_reply *reply, aio__wire_framing asked, aio__str body) {
  decode_outcome whole = decode_once(codec, reply, asked, body, 0);
  const size_t steps[] = {body.n < 400 ? 1 : 17, body.n / 2 + 1}; /* the unit tests feed longer ones byte by byte */
  for (size_t i = 0; i < 2; i++) {
    decode_outcome other = decode_once(codec, reply, asked, body, steps[i]);
    FUZZ_CHECK(other.status == whole.status);
    FUZZ_CHECK(strcmp(aio__buf_cstr(&other.json), aio__buf_cstr(&whole.json)) == 0);
    aio__buf_free(&other.json);
  }
  aio__buf_free(&whole.json);
}

static inline int decode_check(const aio__codec *codec, const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  aio__str body = fuzz_text(data + 1, size - 1);
  bool stream = data[0] == 's' || data[0] == 't';
  const char *type = data[0] == 's' ? "text/event-stream" : data[0] == 't' ? "text/plain" : "application/json";
  const aio__wire_header headers[] = {{AIO__LIT("content-type"), aio__str_z(type), false}, {AIO__LIT("retry-after"), AIO__LIT("3"), false}};
  int32_t http = data[0] == '4' ? 400 : data[0] == '5' ? 500 : data[0] == '9' ? 429 : 200;
  const aio__wire_reply reply = {.http_status = http, .headers = headers, .header_count = 2, .now_ms = INT64_C(1795435200000)};
  decode_check_reply(codec, &reply, stream ? codec->stream_framing : AIO__WIRE_WHOLE, body);
  return 0;
}

#endif
