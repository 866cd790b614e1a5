/* POST /v1/chat/completions of the server: its reader, and a run over the memory store. */
#include "openai_chat.h"
#include "wire_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wire_check(&wire_openai_chat, data, size);
  return 0;
}
