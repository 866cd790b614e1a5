/* all-MiniLM-L6-v2 beside its reference vectors: f32 exact, int8 near, at every level of this machine. */
#include "support/embedding_reference.h"

int main(void) {
  const reference_case wanted = {
      .model = "all-MiniLM-L6-v2", .vectors = "embedding/minilm.f32", .max_tokens = 256, .int8_mean = .9992, .int8_mean_plain = .997};
  return reference_main(&wanted);
}
