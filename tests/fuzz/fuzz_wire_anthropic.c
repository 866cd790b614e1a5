/* POST /v1/messages of the server: its reader, and a run over the memory store. */
#include "anthropic_messages.h"
#include "wire_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wire_check(&wire_anthropic_messages, data, size);
  return 0;
}
