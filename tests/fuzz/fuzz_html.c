/* HTML as the command line reads it: any bytes give valid UTF-8, and anchors that lie in it in order. */
#include <string.h>

#include "fuzz.h"
#include "ingest.h"

bool cli_interrupted(void) {
  return false;
} /* interrupt.c is not linked: nobody presses a key here */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  html_document document;
  html_extract(size > 0 ? (const char *)data : "", size, &document);
  aio__str text = {document.text.data, document.text.len}, title = {document.title.data, document.title.len};
  FUZZ_CHECK(aio__utf8_check(text, NULL) == text.n);
  FUZZ_CHECK(aio__utf8_check(title, NULL) == title.n);
  FUZZ_CHECK(text.n == 0 || memchr(text.p, '\0', text.n) == NULL);
  size_t at = 0;
  for (size_t i = 0; i < document.anchor_count; i++) {
    FUZZ_CHECK(document.anchors[i].offset >= at && document.anchors[i].offset <= text.n);
    FUZZ_CHECK(document.anchors[i].name != NULL);
    at = document.anchors[i].offset;
  }
  html_release(&document);
  return 0;
}
