/* Base URLs and paths (two lines): what is taken is a URL of the same host and nothing that ends a header line; joining what was joined
 * changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "net/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aio__str all = fuzz_text(data, size);
  const char *line = all.n ? memchr(all.p, '\n', all.n) : NULL;
  aio__str base = line ? aio__str_n(all.p, (size_t)(line - all.p)) : all;
  aio__str segment = line ? aio__str_n(line + 1, all.n - base.n - 1) : aio__str_z("");
  aio__buf path, url, again;
  aio__buf_init(&path, aio__alloc_default(), AIO__WIRE_URL_MAX);
  aio__buf_init(&url, aio__alloc_default(), AIO__WIRE_URL_MAX);
  aio__buf_init(&again, aio__alloc_default(), AIO__WIRE_URL_MAX);
  aio__buf_z(&path, "/v1/models/");
  if (aio__wire_segment(&path, segment) == AIORCH_OK && aio__wire_url(&url, base, aio__buf_view(&path), NULL) == AIORCH_OK) {
    aio__str host = aio__wire_host(base), joined = aio__buf_view(&url);
    FUZZ_CHECK(host.n > 0 && aio__str_eq(host, aio__wire_host(joined)));
    for (size_t i = 0; i < joined.n; i++) FUZZ_CHECK((uint8_t)joined.p[i] > 0x20 && (uint8_t)joined.p[i] < 0x7F && joined.p[i] != '#');
    FUZZ_CHECK(strncmp(joined.p, "http", 4) == 0 || strncasecmp(joined.p, "http", 4) == 0);
    FUZZ_CHECK(aio__wire_url(&again, joined, aio__buf_view(&path), NULL) != AIORCH_OK || aio__str_eq(joined, aio__buf_view(&again)));
    FUZZ_CHECK(strstr(joined.p + 8, "/../") == NULL || aio__wire_has(base, "/.."));
  }
  aio__buf_free(&path);
  aio__buf_free(&url);
  aio__buf_free(&again);
  return 0;
}
