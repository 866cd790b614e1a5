/* A vocab.txt or a tokenizer.json: taken, and then any text gives ids below the size; or refused with words that name
 * the file. The first byte chooses the form: 'j' JSON, 'l' lines with lower case, any other lines with case. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "embedders/local/wordpiece.h"

enum { TOKENS_MAX = 64 };

static void check_tokenizer(const aio__wordpiece *tokenizer, aio__str file) {
  int32_t ids[TOKENS_MAX];
  size_t n = 0, entries = aio__wordpiece_size(tokenizer);
  bool truncated;
  uint8_t digest[32], again[32];
  FUZZ_CHECK(entries >= 4 && entries <= AIO__WORDPIECE_VOCABULARY_MAX);
  aio__wordpiece_digest(tokenizer, digest);
  aio__wordpiece_digest(tokenizer, again);
  FUZZ_CHECK(memcmp(digest, again, sizeof digest) == 0);
  /* Its own entries are a text as good as any. */
  FUZZ_CHECK(aio__wordpiece_encode(tokenizer, file, TOKENS_MAX, ids, &n, &truncated) == AIORCH_OK);
  FUZZ_CHECK(n >= 2 && n <= TOKENS_MAX);
  for (size_t i = 0; i < n; i++) FUZZ_CHECK(ids[i] >= 0 && (size_t)ids[i] < entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  aio__str file = fuzz_text(data + 1, size - 1);
  aio__wordpiece *tokenizer = NULL;
  aiorch_error *error = NULL;
  aiorch_status status;
  const aio__alloc *al = aio__alloc_default();
  if (aiorch_error_new(&error) != AIORCH_OK) abort();
  if (data[0] == 'j') status = aio__wordpiece_from_json(al, file, "a/file", &tokenizer, error);
  else status = aio__wordpiece_from_vocabulary(al, file, data[0] == 'l', "a/file", &tokenizer, error);
  FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_MODEL);
  FUZZ_CHECK((status == AIORCH_OK) == (tokenizer != NULL));
  FUZZ_CHECK(status == AIORCH_OK || strstr(aiorch_error_message(error), "a/file") != NULL);
  if (status == AIORCH_OK) check_tokenizer(tokenizer, file);
  aio__wordpiece_free(tokenizer);
  aiorch_error_free(error);
  return 0;
}
