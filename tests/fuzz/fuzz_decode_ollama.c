/* Answers of the kind of lib/providers/ollama.c: see decode_check.h. */
#include "decode_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return decode_check(&aio__codec_ollama, data, size);
}
