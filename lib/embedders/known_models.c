/* Models that were measured. */
#include "embedders/known_models.h"

static const aio__known_model models[] = {
  {"all-MiniLM-L6-v2", 0.25, 0.90, "first values"},
  {"bge-small-en-v1.5", 0.70, 0.95, "first values"},
};

const aio__known_model *aio__known_model_find(aio__str fingerprint) {
  size_t n = 0;
  while (n < fingerprint.n && fingerprint.p[n] != '/') n++;
  for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
    if (aio__str_eqz(aio__str_n(fingerprint.p, n), models[i].name)) return &models[i];
  }
  return NULL;
}
