/* The header of a safetensors file, in a file of the size that the first eight bytes say: taken or refused with words; of what
 * is taken every tensor lies inside of the file, apart from the others, and is as large as its shape. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "embedders/local/safetensors.h"

static const char *const names[] = {"a", "b", "w", "bert.embeddings.word_embeddings.weight", "__metadata__"};

static void check_tensor(const aio__tensor *t, uint64_t start, uint64_t size) {
  uint64_t bytes = t->width;
  FUZZ_CHECK(t->rank <= AIO__SAFETENSORS_RANK_MAX);
  for (size_t i = 0; i < t->rank; i++) bytes *= t->shape[i];
  FUZZ_CHECK(t->begin >= start && t->begin <= t->end && t->end <= size);
  FUZZ_CHECK(t->end - t->begin == bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aio__safetensors *file = NULL;
  aiorch_error *error = NULL;
  uint64_t room = 0;
  if (size < 8) return 0;
  for (int i = 0; i < 8; i++) room |= (uint64_t)data[i] << (8 * i);
  uint64_t start = size; /* eight bytes of length, and the header */
  room = room > UINT64_MAX - start ? UINT64_MAX : start + room;
  if (aiorch_error_new(&error) != AIORCH_OK) abort();
  aiorch_status status =
    aio__safetensors_parse(aio__alloc_default(), "fuzz", fuzz_text(data + 8, size - 8), room, &file, error);
  FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_MODEL || status == AIORCH_E_TOO_LARGE);
  FUZZ_CHECK(status == AIORCH_OK || aiorch_error_message(error)[0] != '\0');
  for (size_t i = 0; status == AIORCH_OK && i < sizeof names / sizeof names[0]; i++) {
    const aio__tensor *t = aio__safetensors_find(file, names[i]);
    FUZZ_CHECK(t == NULL || strcmp(names[i], "__metadata__") != 0);
    float x;
    if (t == NULL) continue;
    check_tensor(t, start, room);
    /* There is no file behind it. */
    if (t->end > t->begin) FUZZ_CHECK(aio__safetensors_read(file, t, 0, 1, &x, NULL, error) != AIORCH_OK);
  }
  aio__safetensors_free(file);
  aiorch_error_free(error);
  return 0;
}
