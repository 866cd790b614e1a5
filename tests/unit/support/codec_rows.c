/* See codec_rows.h. */
#include "support/codec_rows.h"

#include "support/test_alloc.h"

enum { TEXT_MAX = 1 << 16, HEADERS_MAX = 8 };

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static void open_request(neutral *n, char json[TEXT_MAX], const char *codec, const char *target, const char *request) {
  int len = snprintf(json, TEXT_MAX,
                     "{\"codec\":\"%s\",\"target\":{%s},\"request\":{\"model\":\"m\",\"turns\":[{\"role\":\"user\",\"text\":\"Hi\"}]%s%s}}", codec,
                     target, request[0] ? "," : "", request);
  assert_true(len > 0 && len < TEXT_MAX);
  if (!neutral_read(n, aio__str_n(json, (size_t)len))) fail_msg("%s", json);
}

static void expect_refused(aiorch_status st, const aiorch_error *error, const char *want, const char *request) {
  char said[1200];
  snprintf(said, sizeof said, "%s %s", aiorch_status_name(st), aiorch_error_message(error));
  const char *space = strchr(want, ' ');
  size_t status_len = space ? (size_t)(space - want) : strlen(want);
  if (strncmp(said, want, status_len) != 0 || (space && !strstr(said, space + 1))) fail_msg("%s: %s, not %s", request, said, want);
}

void expect_request(const char *codec, const char *target, const char *request, const char *want, int warnings) {
  static char json[TEXT_MAX];
  neutral n;
  collector c;
  aio__wire_request wire;
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  open_request(&n, json, codec, target, request);
  collector_init(&c);
  aio__wire_request_init(&wire, aio__alloc_default());
  aiorch_status st = aio__codec_encode(n.codec, &n.request, &n.target, &c.sink, &wire, error);
  if (want[0] == '!') {
    expect_refused(st, error, want + 1, request);
  } else {
    if (st) fail_msg("%s: %s", request, aiorch_error_message(error));
    assert_string_equal(aio__buf_cstr(&wire.body), want);
    int lines = 0;
    for (size_t i = 0; i < c.warnings.n; i++) lines += c.warnings.p[i] == '\n' ? 1 : 0;
    if (lines != warnings) fail_msg("%s: %d warnings: %s", request, lines, aio__buf_cstr(&c.warnings));
  }
  aio__wire_request_free(&wire);
  collector_free(&c);
  neutral_free(&n);
  aiorch_error_free(error);
}

void expect_target(const char *codec, const char *target, const char *request, const char *url, const char *header, const char *value) {
  static char json[TEXT_MAX];
  neutral n;
  collector c;
  aio__wire_request wire;
  open_request(&n, json, codec, target, request);
  collector_init(&c);
  aio__wire_request_init(&wire, aio__alloc_default());
  assert_int_equal(aio__codec_encode(n.codec, &n.request, &n.target, &c.sink, &wire, NULL), AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&wire.url), url);
  const aio__wire_reply as_reply = {.headers = wire.headers, .header_count = wire.header_count};
  if (header && !aio__str_eqz(aio__wire_get(&as_reply, header), value)) fail_msg("%s is not %s", header, value);
  for (size_t i = 0; i < wire.header_count; i++) {
    bool key = n.target.key.n && aio__wire_has(wire.headers[i].value, "secret");
    assert_int_equal(wire.headers[i].secret, key); /* the tests' keys have that word in them */
  }
  assert_null(n.target.key.n ? strstr(aio__buf_cstr(&wire.body), "secret") : NULL);
  aio__wire_request_free(&wire);
  collector_free(&c);
  neutral_free(&n);
}

void expect_request_without_memory(const char *codec, const char *target, const char *request) {
  static char json[TEXT_MAX];
  neutral n;
  aio__test_alloc t;
  open_request(&n, json, codec, target, request);
  aio__test_alloc_init(&t);
  do {
    collector c;
    aio__wire_request wire;
    collector_init(&c);
    aio__test_alloc_next(&t);
    aio__wire_request_init(&wire, &t.al);
    aiorch_status st = aio__codec_encode(n.codec, &n.request, &n.target, &c.sink, &wire, NULL);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__wire_request_free(&wire);
    assert_int_equal(t.live, 0);
    collector_free(&c);
  } while (t.failed > 0);
  neutral_free(&n);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

typedef struct head {
  aio__wire_reply reply;
  aio__wire_header headers[HEADERS_MAX];
  aio__wire_framing framing;
} head;

static void read_head(head *h, const char *text, const aio__codec *codec) {
  memset(h, 0, sizeof *h);
  aio__str rest = aio__str_z(text);
  h->reply = (aio__wire_reply){.http_status = atoi(text), .headers = h->headers, .now_ms = INT64_C(784111777000)};
  const char *space = strchr(text, ' ');
  assert_non_null(space);
  rest = aio__str_z(space + 1);
  aio__str name = AIO__LIT("content-type");
  while (h->reply.header_count < HEADERS_MAX) {
    const char *bar = memchr(rest.p, '|', rest.n);
    aio__str value = bar ? aio__str_n(rest.p, (size_t)(bar - rest.p)) : rest;
    h->headers[h->reply.header_count++] = (aio__wire_header){.name = name, .value = value};
    if (!bar) break;
    rest = aio__str_n(bar + 1, rest.n - value.n - 1);
    const char *colon = memchr(rest.p, ':', rest.n);
    assert_non_null(colon);
    name = aio__str_n(rest.p, (size_t)(colon - rest.p));
    rest = aio__str_n(colon + 1, rest.n - name.n - 1);
  }
  bool whole = aio__wire_has(h->headers[0].value, "application/json");
  h->framing = whole ? AIO__WIRE_WHOLE : codec->stream_framing; /* a JSON answer is what was asked for, unless a test says "json" */
}

static void describe(char out[TEXT_MAX], const collector *c, const aio__decoder *d, aiorch_status st) {
  size_t n = (size_t)snprintf(out, TEXT_MAX, "%s %s [%s] {%s} ", aiorch_status_name(st), aiorch_finish_reason_name(d->result.finish_reason),
                              aio__buf_cstr(&c->text), aio__buf_cstr(&c->reasoning));
  for (size_t i = 0; i < c->tool_count && i < 8 && n < TEXT_MAX / 2; i++) {
    n += (size_t)snprintf(out + n, TEXT_MAX - n, "%s(%s)%s", aio__buf_cstr(&c->tools[i][1]), aio__buf_cstr(&c->tools[i][2]),
                          i + 1 == c->tool_count ? " " : "");
  }
  const int64_t *u = d->result.usage.n;
  if (!d->result.has_usage) snprintf(out + n, TEXT_MAX - n, "-");
  else snprintf(out + n, TEXT_MAX - n, "<%lld,%lld,%lld,%lld,%lld,%lld>", (long long)u[0], (long long)u[1], (long long)u[2], (long long)u[3],
                (long long)u[4], (long long)u[5]);
  int lines = 0;
  for (size_t i = 0; i < c->warnings.n; i++) lines += c->warnings.p[i] == '\n' ? 1 : 0;
  n = strlen(out);
  if (lines > 0) snprintf(out + n, TEXT_MAX - n, " ~%d", lines);
  n = strlen(out);
  if (c->stop.n > 0) snprintf(out + n, TEXT_MAX - n, " =%s", aio__buf_cstr(&c->stop));
}

/* One feeding. `at`: 0 at once, 1 in single bytes, else split before that byte. */
static void feed_once(const neutral *n, const head *h, aio__str body, size_t at, const char *want, bool failure) {
  static char got[TEXT_MAX];
  collector c;
  aio__decoder d;
  collector_init(&c);
  aio__decoder_init(&d, n->codec, &n->target, &c.sink, aio__alloc_default());
  aiorch_status st = neutral_decode(&d, &h->reply, h->framing, body, at);
  if (failure) {
    snprintf(got, sizeof got, "%s %d %lld %d %d %s", aiorch_status_name(st), (int)d.error.http_status, (long long)d.error.retry_after_ms,
             d.error.should_retry, d.error.not_today ? 1 : 0, d.error.message);
  } else {
    describe(got, &c, &d, st);
  }
  if (strcmp(got, want) != 0) fail_msg("in pieces of %zu:\n  got  %s\n  want %s\n  said %s", at, got, want, d.error.message);
  assert_false(c.bad);
  assert_int_equal(d.error.status, st);
  if (st == AIORCH_OK) assert_int_equal(c.tools_ended, c.tool_count);
  assert_int_equal(aio__decoder_feed(&d, AIO__LIT("more")), st); /* what comes behind the end changes nothing */
  aio__decoder_free(&d);
  collector_free(&c);
}

static void check_answer(const char *codec, const char *target, const char *head_text, const char *body, size_t len, const char *want, bool failure) {
  static char json[TEXT_MAX];
  neutral n;
  head h;
  open_request(&n, json, codec, target, "");
  read_head(&h, head_text, n.codec);
  for (size_t step = 0; step <= len; step++) feed_once(&n, &h, aio__str_n(body, len), step, want, failure);
  neutral_free(&n);
}

void expect_answer(const char *codec, const char *target, const char *head_text, const char *body, size_t len, const char *want) {
  check_answer(codec, target, head_text, body, len, want, false);
}

void expect_failure(const char *codec, const char *target, const char *head_text, const char *body, size_t len, const char *want) {
  check_answer(codec, target, head_text, body, len, want, true);
}

void expect_answer_without_memory(const char *codec, const char *head_text, const char *body) {
  static char json[TEXT_MAX];
  neutral n;
  head h;
  aio__test_alloc t;
  open_request(&n, json, codec, "", "");
  read_head(&h, head_text, n.codec);
  aio__test_alloc_init(&t);
  do {
    collector c;
    aio__decoder d;
    collector_init(&c);
    aio__test_alloc_next(&t);
    aio__decoder_init(&d, n.codec, &n.target, &c.sink, &t.al);
    aiorch_status st = neutral_decode(&d, &h.reply, h.framing, aio__str_z(body), 7);
    if (t.failed > 0) assert_int_equal(st, AIORCH_E_NOMEM);
    assert_int_equal(d.error.status, st);
    aio__decoder_free(&d);
    assert_int_equal(t.live, 0);
    collector_free(&c);
  } while (t.failed > 0);
  neutral_free(&n);
}
