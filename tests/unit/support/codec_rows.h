/* Tables of requests and answers of providers: one line each, checked in every way in which it can come. */
#ifndef AIO_TESTS_CODEC_ROWS_H
#define AIO_TESTS_CODEC_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "support/neutral.h"

/* `request` is the members of "request" but for model and turns where they are the usual ones: model "m" and one user turn "Hi" are
 * put before them. `target` is the members of "target". Expects the body to be `want`; or, where `want` begins with '!', a failure: its
 * status and a part of its message ("!INVALID turn 0"). Warnings are counted: `warnings`. */
void expect_request(const char *codec, const char *target, const char *request, const char *want, int warnings);
/* Expects the URL, and the header of that name when `header` is not NULL ("" for one that is not there). */
void expect_target(const char *codec, const char *target, const char *request, const char *url, const char *header, const char *value);
/* No request of this kind leaks or crashes when memory runs out, wherever it does. */
void expect_request_without_memory(const char *codec, const char *target, const char *request);

/*
 * An answer: `head` is "STATUS CONTENT-TYPE" ("200 text/event-stream"), with more headers behind '|' ("429 application/json|retry-after: 7").
 * It is fed at once, byte by byte, and split at every place; all must be understood alike. `want`:
 *
 *   STATUS finish [text] {reasoning} name(arguments)... <input,cache_read,cache_write,cache_write_1h,output,reasoning>
 *
 * with "-" for tokens that were not said, and with " ~N" behind it for N warnings, and " =STOP" for the stop sequence.
 */
void expect_answer(const char *codec, const char *target, const char *head, const char *body, size_t len, const char *want);
#define EXPECT_ANSWER(codec, target, head, body, want) expect_answer(codec, target, head, body, sizeof(body) - 1, want)
/* How it failed: "STATUS http_status retry_after_ms should_retry not_today message". */
void expect_failure(const char *codec, const char *target, const char *head, const char *body, size_t len, const char *want);
#define EXPECT_FAILURE(codec, target, head, body, want) expect_failure(codec, target, head, body, sizeof(body) - 1, want)
void expect_answer_without_memory(const char *codec, const char *head, const char *body);

/* Members of "request" with all there is to ask in them, but for a choice of tools. */
#define EVERYTHING \
  "\"system\":\"S \\\"q\\\"\",\"cache_system\":false,\"max_tokens\":9,\"stream\":true,\"turns\":[{\"role\":\"user\",\"parts\":[{\"kin" \
  "d\":\"text\",\"text\":\"Q\"},{\"kind\":\"image\",\"media_type\":\"image/png\",\"text\":\"iVBORw0=\"},{\"kind\":\"image_url\",\"tex" \
  "t\":\"https://h/a.webp\"}]},{\"role\":\"assistant\",\"parts\":[{\"kind\":\"reasoning\",\"text\":\"R\",\"signature\":\"s1\"},{\"kin" \
  "d\":\"reasoning\",\"redacted\":true,\"signature\":\"s2\"},{\"kind\":\"reasoning\",\"text\":\"unsigned\"},{\"kind\":\"text\",\"text" \
  "\":\"A\"},{\"kind\":\"tool_call\",\"id\":\"c1\",\"name\":\"f\",\"text\":\"{\\\"a\\\": 1}\",\"signature\":\"s3\"},{\"kind\":\"tool_" \
  "call\",\"id\":\"c2\",\"name\":\"g\"}]},{\"role\":\"tool\",\"parts\":[{\"kind\":\"tool_result\",\"id\":\"c1\",\"name\":\"f\",\"text" \
  "\":\"{\\\"b\\\":2}\"},{\"kind\":\"tool_result\",\"id\":\"c2\",\"name\":\"g\",\"text\":\"bad\",\"is_error\":true},{\"kind\":\"text" \
  "\",\"text\":\"noted\",\"cache\":true}]}],\"tools\":[{\"name\":\"f\",\"description\":\"D\",\"schema\":{\"type\":\"object\"},\"cache" \
  "\":true},{\"name\":\"g\"}],\"one_tool_at_a_time\":false,\"schema\":{\"type\":\"object\"},\"schema_name\":\"n\",\"stops\":[\"x\"]," \
  "\"temperature\":0.5,\"effort\":\"high\""

#endif
