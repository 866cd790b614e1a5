/* Models that were measured, with int8 weights; f32 differs by less than .002. */
#include "embedders/known_models.h"

#include "embedders/embed_codec.h"
#include "embedders/served_models.h"

static const aio__known_model models[] = {
  {"all-MiniLM-L6-v2", 0.25, 0.90, 0.10, 0.45,
   "retrieve: 100 questions to 232 pieces of documentation (dumps of tests/eval/retrieval): every question keeps its best piece "
   "(also at .35) and 96 % of all that answer it, 40 % of the others pass; of 600 questions about something else half find "
   "nothing. cache: 999 paraphrase pairs: 711 right and 43 wrong by cosine alone (.95: 384 and 13; .80: 886 and 74). answer: "
   "of 338 questions to documents that answer them 96 % are answered (by words alone 81 %), of 1,036 to others 8 % (14 %)"},
  {"bge-small-en-v1.5", 0.60, 0.95, 0.50, 0.70,
   "retrieve, queries with their instruction, as above: every question keeps its best piece, on either half of the questions, "
   "and 95 % of all that answer; 48 % of the others pass, and of 358 questions about something else 54 % find nothing (.66: 97, "
   "91, 18 and 87 %; .70: 93, 83, 7 and 98 %, and of 80 questions on a manual 51 instead of 52 find their page). cache, as above: "
   "561 right and 32 wrong (.90: 854 and 71)"},
};

/* "NAME/PRECISION/..." of a local model, "SERVICE:MAKER/NAME:DIMENSIONS" of one behind a service. */
static aio__str name_of(aio__str fingerprint) {
  size_t slash = 0, colon = 0;
  while (slash < fingerprint.n && fingerprint.p[slash] != '/') slash++;
  while (colon < fingerprint.n && fingerprint.p[colon] != ':') colon++;
  bool service = colon < fingerprint.n && aio__embed_codec_find(aio__str_n(fingerprint.p, colon)) != NULL;
  if (!service) return aio__str_n(fingerprint.p, slash);
  return aio__served_model_name(aio__str_n(fingerprint.p + colon + 1, fingerprint.n - colon - 1));
}

const aio__known_model *aio__known_model_find(aio__str fingerprint) {
  aio__str name = name_of(fingerprint);
  for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
    if (aio__str_eqz(name, models[i].name)) return &models[i];
  }
  return NULL;
}
