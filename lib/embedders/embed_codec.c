/* See embed_codec.h: what all embedding services have in common. */
#include "embedders/embed_codec.h"

#include <string.h>

#include "text/json_merge.h"

enum { ERROR_BODY_MAX = 64 << 10 };

const aio__embed_codec *aio__embed_codec_find(aio__str name) {
  static const aio__embed_codec *const codecs[] = {&aio__embed_hugging_face, &aio__embed_openai, &aio__embed_ollama};
  for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
    if (aio__str_eqz(name, codecs[i]->name)) return codecs[i];
  }
  return NULL;
}

/* ---- the request ------------------------------------------------------------------------------------------------- */

void aio__embed_url(aio__embed_writer *e, const char *base_url, aio__str path) {
  if (e->status) return;
  aio__buf_reset(&e->out->url);
  e->status = aio__wire_url(&e->out->url, e->target->base_url.n ? e->target->base_url : aio__str_z(base_url), path, e->error);
}

void aio__embed_bearer(aio__embed_writer *e) {
  aio__str key = aio__str_trim(e->target->key);
  if (e->status || key.n == 0) return;
  e->status = aio__wire_add_key(e->out, AIO__LIT("authorization"), AIO__LIT("Bearer "), key, e->error);
}

void aio__embed_texts(aio__embed_writer *e, const char *key) {
  aio__jw_key(&e->w, key);
  aio__jw_array(&e->w);
  for (size_t i = 0; i < e->request->text_count; i++) aio__jw_str(&e->w, e->request->texts[i]);
  aio__jw_array_end(&e->w);
}

static aiorch_status check(const aio__embed_codec *codec, const aio__embed_request *request, aiorch_error *error) {
  if (request->model.n == 0) return aio__error_set(error, AIORCH_E_INVALID, "%s: no model is named", codec->name);
  if (request->text_count == 0) return aio__error_set(error, AIORCH_E_INVALID, "%s: there is no text", codec->name);
  if (request->text_count > codec->batch_max) {
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "%s: %zu texts in one request; at most %zu", codec->name, request->text_count,
                          codec->batch_max);
  }
  for (size_t i = 0; i < request->text_count; i++) {
    if (request->texts[i].n == 0) return aio__error_set(error, AIORCH_E_INVALID, "%s: text %zu is empty", codec->name, i);
  }
  return AIORCH_OK;
}

aiorch_status aio__embed_encode(const aio__embed_codec *codec, const aio__embed_request *request, const aio__embed_target *target,
                                aio__wire_request *out, aiorch_error *error) {
  aio__embed_writer e = {.request = request, .target = target, .out = out, .error = error};
  e.status = check(codec, request, error);
  if (e.status) return e.status;
  aio__jw_init(&e.w, &out->body);
  aio__jw_object(&e.w);
  codec->write(&e);
  aio__jw_object_end(&e.w);
  if (e.status == AIORCH_OK) e.status = aio__wire_add_header(out, AIO__LIT("content-type"), AIO__LIT("application/json"), false, error);
  if (e.status == AIORCH_OK) e.status = aio__wire_add_header(out, AIO__LIT("accept"), AIO__LIT("application/json"), false, error);
  for (size_t i = 0; i < target->header_count && e.status == AIORCH_OK; i++) {
    const aio__wire_header *h = &target->headers[i];
    e.status = aio__wire_add_header(out, h->name, h->value, h->secret, error);
  }
  if (e.status == AIORCH_OK && out->body.failed) {
    e.status = aio__error_set(error, out->body.failed, "%s: out of memory, or a body of more than 64 MiB", codec->name);
  }
  return e.status ? e.status : aio__json_merge(&out->body, request->provider_options, "provider_options", error);
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

void aio__embed_fault(aio__embed_reader *r, const char *fault) {
  if (r->status) return;
  r->status = AIORCH_E_RESPONSE;
  r->fault = fault;
}

void aio__embed_room(aio__embed_reader *r, size_t dimensions) {
  aio__embed_result *result = r->result;
  if (r->status || result->vectors) return;
  if (dimensions == 0 || dimensions > AIO__EMBED_DIMENSIONS_MAX) {
    aio__embed_fault(r, "the answer has empty vectors, or longer ones than 65,536 numbers");
  } else if (r->dimensions && dimensions != r->dimensions) {
    aio__embed_fault(r, "the vectors have another length than the embedder was set up with");
  } else {
    result->vectors = aio__calloc(result->al, r->texts * dimensions, sizeof *result->vectors);
    result->dimensions = dimensions;
    result->count = r->texts;
    if (!result->vectors) r->status = AIORCH_E_NOMEM;
  }
}

static int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Little-endian floats. Slashes may be written as "\/". */
static void read_base64(aio__embed_reader *r, size_t row, aio__str text) {
  while (text.n > 0 && text.p[text.n - 1] == '=') text.n--;
  size_t escapes = 0, byte = 0;
  for (size_t i = 0; i < text.n; i++) escapes += text.p[i] == '\\' ? 1 : 0;
  size_t bytes = (text.n - escapes) * 3 / 4;
  aio__embed_room(r, bytes / 4);
  if (r->status || bytes % 4 != 0 || bytes / 4 != r->result->dimensions) {
    aio__embed_fault(r, "a vector in base64 has no whole number of floats, or not as many as the others");
    return;
  }
  float *out = r->result->vectors + row * r->result->dimensions;
  uint32_t bits = 0, held = 0, word = 0;
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] == '\\') continue;
    int value = base64_value(text.p[i]);
    if (value < 0) {
      aio__embed_fault(r, "a vector is neither a list of numbers nor base64");
      return;
    }
    held = held << 6 | (uint32_t)value;
    bits += 6;
    if (bits < 8 || byte == bytes) continue;
    bits -= 8;
    word |= (held >> bits & 0xFF) << (8 * (byte % 4));
    if (++byte % 4 != 0) continue;
    memcpy(&out[byte / 4 - 1], &word, sizeof word);
    word = 0;
  }
}

void aio__embed_row(aio__embed_reader *r, size_t row, aio__tape_value value) {
  const aio__tape *t = r->tape;
  if (r->status) return;
  if (row >= r->texts) {
    aio__embed_fault(r, "the answer has more vectors than there were texts");
    return;
  }
  if (aio__tape_typeof(t, value) == AIO__JSON_STRING) {
    aio__str raw = aio__tape_raw(t, value);
    read_base64(r, row, aio__str_n(raw.p + 1, raw.n - 2));
    return;
  }
  if (aio__tape_typeof(t, value) != AIO__JSON_ARRAY) {
    aio__embed_fault(r, "a vector is neither a list of numbers nor base64");
    return;
  }
  aio__embed_room(r, aio__tape_size(t, value));
  if (r->status) return;
  float *out = r->result->vectors + row * r->result->dimensions;
  size_t n = 0;
  for (aio__tape_value v = aio__tape_first(t, value); v != AIO__TAPE_NONE; v = aio__tape_next(t, value, v)) {
    if (n == r->result->dimensions || !aio__tape_f32(t, v, &out[n])) {
      aio__embed_fault(r, "a vector has something else in it than numbers, or not as many as the others");
      return;
    }
    n++;
  }
  if (n != r->result->dimensions) aio__embed_fault(r, "a vector has fewer numbers than the others");
}

/* Neither NaN nor an infinity (base64 may say so), nor zero, which is no direction. */
static void check_vectors(aio__embed_reader *r) {
  const aio__embed_result *result = r->result;
  if (r->status) return;
  if (!result->vectors) aio__embed_fault(r, "the answer has no vectors");
  for (size_t i = 0; i < result->count && r->status == AIORCH_OK; i++) {
    double sum = 0;
    for (size_t k = 0; k < result->dimensions; k++) {
      double x = (double)result->vectors[i * result->dimensions + k];
      sum += x * x;
    }
    if (!(sum > 0) || !(sum < 1e300)) aio__embed_fault(r, "a vector is missing, is zero, or has a number that is not finite");
  }
}

void aio__embed_tokens(aio__embed_reader *r, aio__tape_value value) {
  int64_t n;
  if (aio__tape_i64(r->tape, value, &n) && n >= 0) r->result->tokens = n;
}

void aio__embed_model(aio__embed_reader *r, aio__tape_value value) {
  if (aio__tape_typeof(r->tape, value) != AIO__JSON_STRING) return;
  aio__str raw = aio__tape_raw(r->tape, value), text = aio__str_n(raw.p + 1, raw.n - 2);
  if (aio__utf8_check(text, NULL) < text.n) return;
  size_t n = aio__utf8_cut(text, AIO__WIRE_ID_MAX);
  if (n > 0) memcpy(r->result->model, text.p, n);
  r->result->model[n] = '\0';
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

void aio__embed_result_init(aio__embed_result *result, const aio__alloc *al) {
  memset(result, 0, sizeof *result);
  result->al = al;
  result->tokens = -1;
}

void aio__embed_result_free(aio__embed_result *result) {
  aio__free(result->al, result->vectors);
  result->vectors = NULL;
  result->count = result->dimensions = 0;
}

static aiorch_status failed(aio__embed_result *result, aiorch_status status, const char *message, aio__str key) {
  aio__embed_result_free(result);
  result->error.status = status;
  aio__wire_say(&result->error, aio__str_z(message), key);
  return status;
}

/* A refusal, under whatever status it came. */
static aiorch_status refused(const aio__embed_codec *codec, aio__tape *tape, aio__str body, aio__str key, aio__embed_result *result) {
  static const char *const too_long[] = {"maximum context length", "context length", "too many tokens", "input is too long", "must have less than"};
  aio__wire_error *error = &result->error;
  aio__error_body found;
  aio__buf memory;
  aio__buf_init(&memory, result->al, ERROR_BODY_MAX);
  body.n = body.n < ERROR_BODY_MAX ? body.n : ERROR_BODY_MAX;
  aiorch_status st = aio__error_body_read(tape, body, &memory, &found);
  if (st == AIORCH_OK) {
    if (error->status == AIORCH_OK) error->status = AIORCH_E_PROVIDER_BUSY; /* a status line of success, and an error behind it */
    if (aio__str_eqz(found.code, "insufficient_quota")) error->status = AIORCH_E_PROVIDER_KEY;
    error->not_today = aio__str_eqz(found.code, "insufficient_quota");
    if (codec->fail) codec->fail(&found, error);
    for (size_t i = 0; i < sizeof too_long / sizeof too_long[0] && error->status == AIORCH_E_PROVIDER_REJECTED; i++) {
      if (aio__wire_has(found.message, too_long[i])) error->status = AIORCH_E_CONTEXT_WINDOW;
    }
    aio__str text = found.message.n ? found.message : found.code.n ? found.code : found.type;
    aio__wire_say(error, text, key);
    if (!error->message[0]) aio__wire_say(error, AIO__LIT("without a word"), key); /* also where all of it is blank */
    st = error->status;
  } else {
    error->status = st;
  }
  aio__buf_free(&memory);
  return st;
}

aiorch_status aio__embed_decode(const aio__embed_codec *codec, const aio__embed_target *target, const aio__wire_reply *reply, aio__str body,
                                size_t texts, size_t dimensions, aio__embed_result *result) {
  aio__tape tape;
  aio__tape_init(&tape, result->al);
  aio__wire_error_begin(&result->error, reply);
  memcpy(result->request_id, result->error.request_id, sizeof result->request_id);
  aiorch_status st = result->error.status;
  if (st) {
    st = refused(codec, &tape, body, target->key, result);
  } else {
    st = aio__tape_read(&tape, body);
    aio__embed_reader r = {.tape = &tape, .texts = texts, .dimensions = dimensions, .result = result};
    bool error = st == AIORCH_OK && aio__tape_typeof(&tape, AIO__TAPE_GET(&tape, AIO__TAPE_ROOT, "error")) != AIO__JSON_NULL;
    if (error) {
      st = refused(codec, &tape, body, target->key, result);
    } else if (st == AIORCH_OK) {
      codec->read(&r);
      check_vectors(&r);
      st = r.status;
      if (st) failed(result, st, r.fault ? r.fault : "out of memory", target->key);
    } else {
      const char *message = st == AIORCH_E_TRUNCATED ? "the answer ends in the middle of its JSON"
                            : st == AIORCH_E_NOMEM   ? "out of memory"
                                                     : "the answer is not JSON as it should be";
      failed(result, st == AIORCH_E_TOO_LARGE ? AIORCH_E_RESPONSE : st, message, target->key);
      st = result->error.status;
    }
  }
  aio__tape_free(&tape);
  return st;
}
