/*
 * Requests to providers as JSON that belongs to none of them, and what a codec made of an answer as JSON: for tests that are
 * tables, and for tests/oracle.
 *
 * A request: {"codec", "target": {"base_url", "key", "server", "version", "bearer", "refuse", "headers": {}}, "request": {"model",
 * "system", "cache_system", "cache_long", "turns": [{"role", "parts": [{"kind": "text|image|image_url|tool_call|tool_result|reasoning",
 * "text", "media_type", "id", "name", "signature", "redacted", "is_error", "cache"}]}] ("text" instead of "parts" for one text),
 * "tools": [{"name", "description", "schema", "cache"}], "tool_choice": "auto|none|any|one", "tool_name", "one_tool_at_a_time",
 * "schema", "schema_name", "stops", "temperature", "max_tokens", "effort", "stream", "provider_options"}}
 */
#ifndef AIO_TESTS_NEUTRAL_H
#define AIO_TESTS_NEUTRAL_H

#include "core/arena.h"
#include "cost/prices.h"
#include "providers/codec.h"

typedef struct neutral {
  aio__arena memory;
  aio__tape tape;
  const aio__codec *codec;
  aio__codec_request request;
  aio__codec_target target;
} neutral;

/* Always with the C library's allocator. False, with the reason on stderr, for what is no such JSON. `json` must stay. */
bool neutral_read(neutral *n, aio__str json);
bool neutral_read_any(neutral *n, aio__str json); /* also without a codec's name */
void neutral_free(neutral *n);
/* {"method", "url", "headers": {name: value}, "framing", "body"} */
void neutral_write_request(aio__json_writer *w, const aio__wire_request *wire);

/* A sink that keeps what it is given. */
typedef struct collector {
  aio__codec_sink sink;
  aio__buf text, reasoning, signature, tools[8][4], warnings, stop; /* tools: id, name, arguments, signature */
  size_t tool_count, tools_ended, events;
  bool bad;                  /* a piece that is no UTF-8, has a NUL, or names a tool that was not started or has ended */
  aiorch_status fail_with;   /* returned from event number fail_at on */
  size_t fail_at;            /* 0: never */
} collector;

void collector_init(collector *c);
void collector_free(collector *c);
/* {"status", "text", "reasoning", "signature", "tools": [{"id", "name", "arguments", "signature"}], "finish", "usage": {}, "model",
 * "request_id", "warnings": [], "error": {...} when it failed}; with prices "cost_nano_usd" by those of November 2026. */
void collector_write(aio__json_writer *w, const collector *c, const aio__decoder *d, aiorch_status status, const aio__prices *prices);

/* Decodes `body`, fed in pieces of `step` bytes (0: at once), each of which is gone after its feeding; returns the status. */
aiorch_status neutral_decode(aio__decoder *d, const aio__wire_reply *reply, aio__wire_framing asked, aio__str body, size_t step);

#endif
