/* Failed answers of every provider and status. The first byte chooses the provider and its server, the second the status; the rest is a
 * Retry-After up to the first line feed, and the body. */
#include "decode_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const aio__codec *const codecs[] = {&aio__codec_anthropic, &aio__codec_openai, &aio__codec_gemini, &aio__codec_ollama};
  static const int32_t statuses[] = {400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 498, 500, 502, 503, 529, 302, 0, 999};
  if (size < 2) return 0;
  aio__str rest = fuzz_text(data + 2, size - 2);
  const char *line = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
  aio__str after = line ? aio__str_n(rest.p, (size_t)(line - rest.p)) : aio__str_z("");
  aio__str body = line ? aio__str_n(line + 1, rest.n - after.n - 1) : rest;
  const aio__wire_header headers[] = {{AIO__LIT("content-type"), AIO__LIT("application/json"), false}, {AIO__LIT("Retry-After"), after, false},
                                      {AIO__LIT("x-request-id"), after, false}};
  const aio__wire_reply reply = {.http_status = statuses[data[1] % (sizeof statuses / sizeof statuses[0])], .headers = headers, .header_count = 3,
                                 .now_ms = INT64_C(1795435200000)};
  decode_check_reply(codecs[data[0] % 4], &reply, AIO__WIRE_WHOLE, body);
  return 0;
}
