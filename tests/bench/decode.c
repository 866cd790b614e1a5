/*
 * How fast answers are read: server-sent events alone, with their JSON decoded into text by each codec, lines of JSON, and whole bodies,
 * in MB of what comes over the wire a second; and what it allocates.
 *
 *   decode [--json] [--mb N]     N: how much is read for each line (default 64)
 *
 * Bytes come in pieces of 16 kB, as a network gives them. The best of five rounds counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "providers/codec.h"
#include "support/test_alloc.h"

enum { PIECE = 16384, ROUNDS = 5 };

static const char *const WORDS[] = {"The", " answer", " is", " forty", "-", "two", ",", " and", " that", " is", " all", " there", " is", " to", " say", ".\\n"};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* nothing waits here: what others do on the machine is left out */
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_event(aio__buf *out, const char *name, size_t i) {
  const char *word = WORDS[i % 16];
  if (strcmp(name, "anthropic") == 0) {
    aio__buf_fmt(out, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"}}\n\n", word);
  } else if (strcmp(name, "openai") == 0) {
    aio__buf_fmt(out, "data: {\"id\":\"chatcmpl-AbCdEf0123456789\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"gpt-6-sol-2026-09-01\","
                      "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,"
                      "\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"x7Kd92\"}\n\n", word);
  } else if (strcmp(name, "gemini") == 0) {
    aio__buf_fmt(out, "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"%s\"}],\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 7,"
                      "\"candidatesTokenCount\": %zu,\"totalTokenCount\": %zu},\"modelVersion\": \"gemini-3-flash\",\"responseId\": \"r1\"}\r\n\r\n", word, i, i + 7);
  } else {
    aio__buf_fmt(out, "{\"model\":\"qwen3\",\"created_at\":\"2026-11-01T00:00:00.000000Z\",\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"done\":false}\n", word);
  }
}

static const char *const ENDS[][2] = {{"anthropic", "data: {\"type\":\"message_stop\"}\n\n"},
                                      {"openai", "data: [DONE]\n\n"},
                                      {"gemini", "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"},
                                      {"ollama", "{\"message\":{\"content\":\"\"},\"done\":true}\n"}};

static aiorch_status count_text(void *ctx, const aio__codec_event *event) {
  *(size_t *)ctx += event->text.n;
  return AIORCH_OK;
}

static aiorch_status count_event(void *ctx, const aio__sse_event *event) {
  *(size_t *)ctx += event->data.n;
  return AIORCH_OK;
}

typedef struct figure {
  double mb_s;
  long allocations;
  size_t text;
} figure;

static figure read_events(aio__str stream) {
  figure f = {0};
  for (int round = 0; round < ROUNDS; round++) {
    aio__sse sse;
    f.text = 0;
    aio__sse_init(&sse, aio__alloc_default(), 1 << 20);
    double start = now();
    for (size_t pos = 0; pos < stream.n; pos += PIECE) {
      aio__str piece = aio__str_n(stream.p + pos, stream.n - pos < PIECE ? stream.n - pos : PIECE);
      if (aio__sse_feed(&sse, piece, count_event, &f.text)) abort();
    }
    double mb_s = (double)stream.n / 1e6 / (now() - start);
    if (mb_s > f.mb_s) f.mb_s = mb_s;
    aio__sse_free(&sse);
  }
  return f;
}

static figure decode(const aio__codec *codec, aio__str body, aio__wire_framing framing, const char *type) {
  figure f = {0};
  const aio__codec_target target = {.key = {"", 0}};
  const aio__wire_header header = {AIO__LIT("content-type"), aio__str_z(type), false};
  const aio__wire_reply reply = {.http_status = 200, .headers = &header, .header_count = 1};
  const aio__codec_sink sink = {.ctx = &f.text, .take = count_text};
  for (int round = 0; round < ROUNDS; round++) {
    aio__decoder d;
    aio__test_alloc t;
    aio__test_alloc_init(&t);
    f.text = 0;
    aio__decoder_init(&d, codec, &target, &sink, round == 0 ? &t.al : aio__alloc_default()); /* counted once, outside of the times */
    aio__decoder_head(&d, &reply, framing);
    double start = now();
    for (size_t pos = 0; pos < body.n; pos += PIECE) {
      aio__str piece = aio__str_n(body.p + pos, body.n - pos < PIECE ? body.n - pos : PIECE);
      if (aio__decoder_feed(&d, piece)) abort();
    }
    if (aio__decoder_end(&d)) abort();
    double mb_s = (double)body.n / 1e6 / (now() - start);
    if (round == 0) f.allocations = t.count;
    else if (mb_s > f.mb_s) f.mb_s = mb_s;
    aio__decoder_free(&d);
  }
  return f;
}

static void print(bool json, const char *what, figure f, size_t wire) {
  static bool first = true;
  if (json) printf("%s{\"what\": \"%s\", \"mb_s\": %.1f, \"allocations\": %ld, \"text_bytes\": %zu, \"wire_bytes\": %zu}", first ? "[" : ",\n ", what, f.mb_s, f.allocations, f.text, wire);
  else printf("%-40s %8.1f MB/s %10ld allocations for %.1f MB\n", what, f.mb_s, f.allocations, (double)wire / 1e6);
  first = false;
}

int main(int argc, char **argv) {
  bool json = false;
  size_t mb = 64;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) json = true;
    else if (strcmp(argv[i], "--mb") == 0 && i + 1 < argc) mb = (size_t)atoi(argv[++i]);
  }
  for (size_t k = 0; k < 4; k++) {
    const aio__codec *codec = aio__codec_find(aio__str_z(ENDS[k][0]));
    aio__buf stream;
    aio__buf_init(&stream, aio__alloc_default(), (mb + 1) << 20);
    for (size_t i = 0; stream.n < mb << 20; i++) add_event(&stream, codec->name, i);
    aio__buf_z(&stream, ENDS[k][1]);
    if (stream.failed) abort();
    char what[64];
    if (codec->stream_framing == AIO__WIRE_SSE) {
      snprintf(what, sizeof what, "%s: events alone", codec->name);
      print(json, what, read_events(aio__buf_view(&stream)), stream.n);
    }
    snprintf(what, sizeof what, "%s: stream to text", codec->name);
    print(json, what, decode(codec, aio__buf_view(&stream), codec->stream_framing, "text/event-stream"), stream.n);
    aio__buf_free(&stream);
  }
  aio__buf body; /* one long answer that came whole */
  aio__buf_init(&body, aio__alloc_default(), 64 << 20);
  aio__buf_z(&body, "{\"choices\":[{\"message\":{\"content\":\"");
  for (size_t i = 0; body.n < 8 << 20; i++) aio__buf_z(&body, WORDS[i % 16]);
  aio__buf_z(&body, "\"},\"finish_reason\":\"stop\"}]}");
  print(json, "openai: a whole answer of 8 MB", decode(&aio__codec_openai, aio__buf_view(&body), AIO__WIRE_WHOLE, "application/json"), body.n);
  aio__buf_free(&body);
  if (json) printf("]\n");
  return 0;
}
