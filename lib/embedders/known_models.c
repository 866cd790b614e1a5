/* Models that were measured, with int8 weights; f32 differs by less than .002. */
#include "embedders/known_models.h"

#include "embedders/embed_codec.h"
#include "embedders/served_models.h"

static const aio__known_model models[] = {
  {"all-MiniLM-L6-v2", 0.25, 0.90, 0.10, 0.45,
   "retrieve: 100 questions to 232 chunks of documentation: every question keeps its best chunk (least cosine .37) and 95 % "
   "of all that answer it, 29 % of the others pass; of 600 questions about something else half find nothing (.35: 93 %, but "
   "89 % of what answers). cache: 999 paraphrase pairs: 711 right and 43 wrong by cosine alone (.95: 384 and 13; .80: 886 "
   "and 74)"},
  {"bge-small-en-v1.5", 0.70, 0.95, 0.50, 0.75,
   "retrieve, queries with their instruction, as above: 91 % of the questions keep their best chunk and 76 % of all that "
   "answer pass, 4 % of the others; of the questions about something else 99.5 % find nothing (.60: 100, 94, 34 and 63 %). "
   "cache, as above: 561 right and 32 wrong (.90: 854 and 71)"},
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
