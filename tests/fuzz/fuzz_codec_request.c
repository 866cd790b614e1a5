/* Requests in no one's language (tests/unit/support/neutral.h), to every provider: what is taken becomes a body of JSON and headers that
 * end nowhere; what is refused says why, without the key. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "support/neutral.h"

static void check(const neutral *n, const aio__codec *codec) {
  collector c;
  aio__wire_request wire;
  aiorch_error *error = NULL;
  if (aiorch_error_new(&error)) abort();
  collector_init(&c);
  aio__wire_request_init(&wire, aio__alloc_default());
  aiorch_status st = aio__codec_encode(codec, &n->request, &n->target, &c.sink, &wire, error);
  FUZZ_CHECK(!c.bad);
  if (st == AIORCH_OK) {
    aio__tape tape;
    aio__tape_init(&tape, aio__alloc_default());
    aio__str body = aio__buf_view(&wire.body);
    FUZZ_CHECK(aio__tape_read(&tape, body) == AIORCH_OK && aio__tape_typeof(&tape, AIO__TAPE_ROOT) == AIO__JSON_OBJECT);
    FUZZ_CHECK(aio__utf8_check(body, NULL) == body.n);
    aio__tape_free(&tape);
    FUZZ_CHECK(aio__wire_host(aio__buf_view(&wire.url)).n > 0);
    for (size_t i = 0; i < wire.header_count; i++) {
      aio__str value = wire.headers[i].value;
      FUZZ_CHECK(value.n == 0 || (!memchr(value.p, '\n', value.n) && !memchr(value.p, '\r', value.n) && !memchr(value.p, '\0', value.n)));
    }
  } else {
    FUZZ_CHECK(aiorch_error_message(error)[0] != '\0');
  }
  aio__wire_request_free(&wire);
  collector_free(&c);
  aiorch_error_free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const aio__codec *const codecs[] = {&aio__codec_anthropic, &aio__codec_openai, &aio__codec_gemini, &aio__codec_ollama};
  neutral n;
  aio__str text = fuzz_text(data, size);
  aio__tape tape;
  aio__tape_init(&tape, aio__alloc_default());
  bool json = aio__tape_read(&tape, text) == AIORCH_OK && aio__tape_typeof(&tape, AIO__TAPE_ROOT) == AIO__JSON_OBJECT;
  aio__tape_free(&tape);
  if (!json) return 0;
  (void)neutral_read_any(&n, text);
  for (size_t i = 0; i < 4; i++) check(&n, codecs[i]);
  neutral_free(&n);
  return 0;
}
