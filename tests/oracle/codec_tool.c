/*
 * What the codecs make of a request, or of an answer: the other side of the comparison with the services' own SDKs (oracle.mjs).
 *
 *   codec_tool encode < REQUEST      the neutral JSON of tests/unit/support/neutral.h; prints what would be sent, with warnings
 *   codec_tool decode < HEAD BODY    HEAD is one line of JSON {"codec", "target", "http_status", "headers": {}, "framing", "step"},
 *                                    all bytes behind it are the body; prints what was understood
 *   codec_tool embed_encode, embed_decode   the same for embedders
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedders/embed_codec.h"
#include "support/neutral.h"

enum { INPUT_MAX = 64 << 20, HEADERS_MAX = 32, TEXTS_MAX = 64 };

static aio__str read_all(aio__buf *buf) {
  char bytes[4096];
  size_t n;
  aio__buf_init(buf, aio__alloc_default(), INPUT_MAX);
  while ((n = fread(bytes, 1, sizeof bytes, stdin)) > 0) {
    if (aio__buf_add(buf, bytes, n)) abort();
  }
  return aio__buf_view(buf);
}

static void print(aio__buf *out) {
  fwrite(out->p, 1, out->n, stdout);
  putchar('\n');
  aio__buf_free(out);
}

/* Opens the object that both kinds of encoding print, and closes it. */
static void print_encoded(aiorch_status st, const aio__wire_request *wire, const aiorch_error *error, aio__str warnings) {
  aio__buf out;
  aio__json_writer w;
  aio__buf_init(&out, aio__alloc_default(), INPUT_MAX);
  aio__jw_init(&w, &out);
  aio__jw_object(&w);
  aio__jw_kz(&w, "status", aiorch_status_name(st));
  if (st == AIORCH_OK) {
    aio__jw_key(&w, "request");
    neutral_write_request(&w, wire);
  }
  aio__jw_kz(&w, "error", aiorch_error_message(error));
  aio__jw_kstr(&w, "warnings", warnings);
  aio__jw_object_end(&w);
  print(&out);
}

static int encode(aio__str input) {
  neutral n;
  collector c;
  aio__wire_request wire;
  aiorch_error *error = NULL;
  if (!neutral_read(&n, input) || aiorch_error_new(&error)) return 2;
  collector_init(&c);
  aio__wire_request_init(&wire, aio__alloc_default());
  aiorch_status st = aio__codec_encode(n.codec, &n.request, &n.target, &c.sink, &wire, error);
  print_encoded(st, &wire, error, aio__buf_view(&c.warnings));
  aio__wire_request_free(&wire);
  aiorch_error_free(error);
  collector_free(&c);
  neutral_free(&n);
  return 0;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

typedef struct head {
  aio__wire_reply reply;
  aio__wire_header headers[HEADERS_MAX];
  aio__wire_framing framing;
  int64_t step, count, dimensions;
  aio__str body;
} head;

static int64_t number_at(const neutral *n, const char *key, int64_t otherwise) {
  int64_t value = otherwise;
  (void)aio__tape_i64(&n->tape, aio__tape_member(&n->tape, AIO__TAPE_ROOT, key, strlen(key)), &value);
  return value;
}

static void read_head(const neutral *n, aio__str body, head *h) {
  memset(h, 0, sizeof *h);
  h->body = body;
  h->step = number_at(n, "step", 0);
  h->count = number_at(n, "count", 1);
  h->dimensions = number_at(n, "dimensions", 0);
  h->reply = (aio__wire_reply){.http_status = (int32_t)number_at(n, "http_status", 200), .headers = h->headers};
  aio__tape_value framing = AIO__TAPE_GET(&n->tape, AIO__TAPE_ROOT, "framing"), list = AIO__TAPE_GET(&n->tape, AIO__TAPE_ROOT, "headers");
  if (aio__tape_is(&n->tape, framing, "sse")) h->framing = AIO__WIRE_SSE;
  if (aio__tape_is(&n->tape, framing, "lines")) h->framing = AIO__WIRE_LINES;
  for (aio__tape_value v = aio__tape_first(&n->tape, list); v != AIO__TAPE_NONE && h->reply.header_count < HEADERS_MAX;
       v = aio__tape_next(&n->tape, list, v)) {
    aio__str raw = aio__tape_raw(&n->tape, v);
    h->headers[h->reply.header_count++] =
        (aio__wire_header){.name = aio__tape_name(&n->tape, v), .value = aio__str_n(raw.p + 1, raw.n - 2)};
  }
}

static int decode(const neutral *n, const head *h) {
  collector c;
  aio__decoder d;
  aio__buf out;
  aio__json_writer w;
  collector_init(&c);
  aio__decoder_init(&d, n->codec, &n->target, &c.sink, aio__alloc_default());
  aiorch_status st = neutral_decode(&d, &h->reply, h->framing, h->body, (size_t)h->step);
  aio__buf_init(&out, aio__alloc_default(), INPUT_MAX);
  aio__jw_init(&w, &out);
  aio__prices *prices = NULL;
  if (aio__prices_new(aio__alloc_default(), (aio__str){"", 0}, &prices, NULL)) abort();
  collector_write(&w, &c, &d, st, prices);
  aio__prices_free(prices);
  print(&out);
  if (c.bad) fprintf(stderr, "a piece is no UTF-8, or of no tool\n");
  bool bad = c.bad;
  aio__decoder_free(&d);
  collector_free(&c);
  return bad ? 3 : 0;
}

/* ---- embedders --------------------------------------------------------------------------------------------------- */

static aio__str raw_text(const neutral *n, aio__tape_value object, const char *key) {
  aio__str raw = aio__tape_raw(&n->tape, aio__tape_member(&n->tape, object, key, strlen(key)));
  return raw.n >= 2 && raw.p[0] == '"' ? aio__str_n(raw.p + 1, raw.n - 2) : raw;
}

static int embed(aio__str input, bool encoding) {
  const char *line = memchr(input.p, '\n', input.n);
  size_t head_len = line ? (size_t)(line - input.p) : input.n;
  neutral n;
  memset(&n, 0, sizeof n);
  aio__tape_init(&n.tape, aio__alloc_default());
  if (aio__tape_read(&n.tape, aio__str_n(input.p, head_len))) return 2;
  const aio__embed_codec *codec = aio__embed_codec_find(raw_text(&n, AIO__TAPE_ROOT, "codec"));
  if (!codec) return 2;
  aio__str texts[TEXTS_MAX];
  aio__embed_request r = {.model = raw_text(&n, AIO__TAPE_ROOT, "model"), .texts = texts, .purpose = AIORCH_PURPOSE_QUERY};
  aio__embed_target t = {.base_url = raw_text(&n, AIO__TAPE_ROOT, "base_url"), .key = raw_text(&n, AIO__TAPE_ROOT, "key"),
                         .plain_floats = aio__tape_true(&n.tape, AIO__TAPE_GET(&n.tape, AIO__TAPE_ROOT, "plain_floats"))};
  aio__tape_value list = AIO__TAPE_GET(&n.tape, AIO__TAPE_ROOT, "texts");
  for (aio__tape_value v = aio__tape_first(&n.tape, list); v != AIO__TAPE_NONE; v = aio__tape_next(&n.tape, list, v)) {
    aio__str raw = aio__tape_raw(&n.tape, v);
    if (r.text_count < TEXTS_MAX) texts[r.text_count++] = aio__str_n(raw.p + 1, raw.n - 2);
  }
  r.dimensions = (size_t)number_at(&n, "dimensions", 0);
  r.provider_options = raw_text(&n, AIO__TAPE_ROOT, "provider_options");
  if (encoding) {
    aio__wire_request wire;
    aiorch_error *error = NULL;
    if (aiorch_error_new(&error)) return 2;
    aio__wire_request_init(&wire, aio__alloc_default());
    print_encoded(aio__embed_encode(codec, &r, &t, &wire, error), &wire, error, AIO__LIT(""));
    aio__wire_request_free(&wire);
    aiorch_error_free(error);
  } else {
    head h;
    aio__embed_result result;
    read_head(&n, line ? aio__str_n(line + 1, input.n - head_len - 1) : AIO__LIT(""), &h);
    aio__embed_result_init(&result, aio__alloc_default());
    aiorch_status st = aio__embed_decode(codec, &t, &h.reply, h.body, (size_t)h.count, (size_t)h.dimensions, &result);
    printf("{\"status\": \"%s\", \"count\": %zu, \"dimensions\": %zu, \"tokens\": %lld, \"vectors\": [", aiorch_status_name(st), result.count,
           result.dimensions, (long long)result.tokens);
    for (size_t i = 0; i < result.count * result.dimensions && st == AIORCH_OK; i++) printf("%s%.9g", i ? "," : "", (double)result.vectors[i]);
    printf("]}\n");
    aio__embed_result_free(&result);
  }
  aio__tape_free(&n.tape);
  return 0;
}

int main(int argc, char **argv) {
  aio__buf input;
  aio__str all = read_all(&input);
  int code = 2;
  if (argc == 2 && strcmp(argv[1], "encode") == 0) {
    code = encode(all);
  } else if (argc == 2 && strncmp(argv[1], "embed_", 6) == 0) {
    code = embed(all, strcmp(argv[1], "embed_encode") == 0);
  } else if (argc == 2 && strcmp(argv[1], "decode") == 0) {
    const char *line = memchr(all.p ? all.p : "", '\n', all.n);
    neutral n;
    head h;
    if (line && neutral_read(&n, aio__str_n(all.p, (size_t)(line - all.p)))) {
      read_head(&n, aio__str_n(line + 1, all.n - (size_t)(line + 1 - all.p)), &h);
      code = decode(&n, &h);
      neutral_free(&n);
    }
  } else {
    fprintf(stderr, "usage: codec_tool encode|decode|embed_encode|embed_decode < INPUT\n");
  }
  aio__buf_free(&input);
  return code;
}
