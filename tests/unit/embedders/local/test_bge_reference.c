/* bge-small-en-v1.5 beside its reference vectors: f32 exact, int8 near, at every level of this machine. */
#include "support/embedding_reference.h"

int main(void) {
  const reference_case wanted = {
      .model = "bge-small-en-v1.5", .vectors = "embedding/bge_small.f32", .max_tokens = 512, .int8_mean = .9996, .int8_mean_plain = .998};
  return reference_main(&wanted);
}
