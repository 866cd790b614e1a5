/*
 * Writing a request, as all codecs do it. Failures stick: a codec writes straight on, and the first one is what
 * aio__codec_encode returns.
 */
#ifndef AIO_PROVIDERS_CODEC_JSON_H
#define AIO_PROVIDERS_CODEC_JSON_H

#include "providers/codec.h"

struct aio__encoder {
  const aio__codec *codec;
  const aio__codec_request *request;
  const aio__codec_target *target;
  const aio__codec_sink *sink;
  aio__wire_request *out;
  aio__json_writer w;      /* of the body; the object is open */
  aio__tape tape;
  aio__str rules;          /* whose rules of parameters hold (param_rules.h); the codec's name unless it says otherwise */
  aiorch_error *error;
  aiorch_status status;
};

/* Keeps the first failure. */
void aio__enc_fail(aio__encoder *e, aiorch_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
void aio__enc_warn(aio__encoder *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether a parameter with this value has to be left out for the model: warns, or fails when the target says so. */
bool aio__enc_drops(aio__encoder *e, const char *param, aio__str value);
/* What cannot be said at all to this provider, by the same option. */
void aio__enc_cannot(aio__encoder *e, const char *what);

void aio__enc_url(aio__encoder *e, aio__str path); /* behind the target's base URL, or the codec's */
void aio__enc_header(aio__encoder *e, const char *name, aio__str value);
void aio__enc_key(aio__encoder *e, const char *name, const char *prefix); /* nothing without a key */

/* Text that must be JSON, written as it is; `what` and `name` say whose it is when it is not. */
void aio__enc_json_object(aio__encoder *e, aio__str json, const char *what, aio__str name);
/* "data:TYPE;base64,DATA" */
void aio__enc_data_url(aio__encoder *e, const aio__part *image);
void aio__enc_strings(aio__encoder *e, const char *key, const aio__str *texts, size_t count); /* nothing for none */
/* Temperature, unless it was not said or the model does not take it. */
void aio__enc_temperature(aio__encoder *e, const char *key);
/* The texts of the turn's parts of one kind, with an empty line between them, as one member; nothing when there are none. */
void aio__enc_joined(aio__encoder *e, const char *key, const aio__turn *turn, aio__part_kind kind);
/* Member "tools" as OpenAI has it: [{"type": "function", "function": {"name", "description", "parameters"}}]. */
void aio__enc_functions(aio__encoder *e);
const char *aio__enc_effort_name(aio__effort effort); /* "low" ... */
/* The only part of the turn when it is plain text without a marker; NULL. */
const aio__part *aio__enc_single_text(const aio__turn *turn);

#endif
