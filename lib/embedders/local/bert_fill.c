/* From tensors to packed weights. Every tensor is found by name, its shape compared with the configuration, and its bytes
 * read once, a few rows at a time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "embedders/local/bert_private.h"

enum { ROWS_AT_ONCE = 32, NAME_ROOM = 128 };

typedef struct filler {
  aio__bert *bert;
  const aio__safetensors *file;
  const char *prefix;  /* of all names: "" or "bert." */
  bool fill;
  aio__sha256 hash;
  float *rows;         /* ROWS_AT_ONCE of the longest */
  int8_t *codes;
  aiorch_error *error;
} filler;

/* ---- finding ---- */

/* Old files call the two vectors of a norm gamma and beta. */
static const aio__tensor *find(const filler *f, const char *name) {
  char full[NAME_ROOM];
  (void)snprintf(full, sizeof full, "%s%s", f->prefix, name);
  const aio__tensor *t = aio__safetensors_find(f->file, full);
  char *last = strrchr(full, '.');
  if (t != NULL || last == NULL || strstr(full, "LayerNorm") == NULL) return t;
  /* No longer than what they replace: there is room. */
  if (strcmp(last, ".weight") == 0)
    memcpy(last, ".gamma", sizeof ".gamma");
  else if (strcmp(last, ".bias") == 0)
    memcpy(last, ".beta", sizeof ".beta");
  return aio__safetensors_find(f->file, full);
}

/* [rows][columns], or [columns] when rows is 0. */
static aiorch_status find_shaped(const filler *f, const char *name, size_t rows, size_t columns,
                                 const aio__tensor **out) {
  const aio__tensor *t = find(f, name);
  const char *path = aio__safetensors_path(f->file);
  if (t == NULL)
    return aio__error_set(f->error, AIORCH_E_MODEL, "%s: tensor \"%s%s\" is missing; another architecture than BERT?",
                          path, f->prefix, name);
  bool fits = rows == 0 ? t->rank == 1 && t->shape[0] == columns
                        : t->rank == 2 && t->shape[0] == rows && t->shape[1] == columns;
  *out = t;
  if (fits) return AIORCH_OK;
  if (rows == 0)
    return aio__error_set(f->error, AIORCH_E_MODEL, "%s: tensor \"%s\" has another shape than config.json says: [%zu]",
                          path, t->name, columns);
  return aio__error_set(f->error, AIORCH_E_MODEL,
                        "%s: tensor \"%s\" has another shape than config.json says: [%zu, %zu]", path, t->name, rows,
                        columns);
}

/* ---- rows to where they belong ---- */

typedef struct target {
  aio__linear *linear; /* a part of this, from row `first` on */
  size_t first;
  float *out;          /* or plain f32 */
  bool words, add;     /* the table of words; added to what is there */
} target;

/* Rounds to -127 .. 127; the scale goes to *scale. Numbers above 1e36 have no such code. `factor`: of a product of codes, with
 * the bound that this has. */
static bool round_row(const float *row, size_t n, bool factor, int8_t *codes, float *scale) {
  float most = 0;
  for (size_t i = 0; i < n; i++) most = fmaxf(most, fabsf(row[i]));
  if (!(most < 1e36f)) return false;
  if (factor) most = aio__code_most(row, n, most, AIO__WEIGHT_SQUARES);
  float by = most > AIO__CODE_LEAST ? AIO__CODE_MAX / most : 0;
  for (size_t i = 0; i < n; i++) codes[i] = (int8_t)lrintf(row[i] * by);
  *scale = most * (1.0f / AIO__CODE_MAX);
  return true;
}

static bool put_linear(filler *f, const target *to, size_t at, size_t count, size_t n) {
  aio__linear *l = to->linear;
  size_t first = to->first + at;
  if (f->bert->precision == AIO__LOCAL_F32) {
    aio__pack_f32(f->rows, first, count, n, l->panels);
    return true;
  }
  for (size_t r = 0; r < count; r++) {
    float *row = f->rows + r * n, *scale = &l->scale[first + r];
    aio__rotate(row, n, l->rotation);
    if (!round_row(row, n, true, f->codes + r * n, scale)) return false;
    *scale /= (float)l->rotation; /* both sides are rotated, each longer by the root of it */
  }
  aio__pack_i8(f->codes, first, count, n, l->panels);
  return true;
}

static bool put_rows(filler *f, const target *to, size_t at, size_t count, size_t n) {
  if (to->linear != NULL) return put_linear(f, to, at, count, n);
  if (to->words && f->bert->precision == AIO__LOCAL_INT8) {
    int8_t *words = (int8_t *)f->bert->words + at * n;
    for (size_t r = 0; r < count; r++) {
      if (!round_row(f->rows + r * n, n, false, words + r * n, &f->bert->word_scale[at + r])) return false;
    }
    return true;
  }
  float *out = to->out + at * n;
  for (size_t i = 0; i < count * n; i++) out[i] = to->add ? out[i] + f->rows[i] : f->rows[i];
  return true;
}

/* The first `rows` of a tensor of `all` rows (0: it is one vector). */
static aiorch_status put(filler *f, const char *name, size_t all, size_t rows, size_t n, target to) {
  const aio__tensor *t = NULL;
  aiorch_status status = find_shaped(f, name, all, n, &t);
  size_t step = 0;
  for (size_t at = 0; at < rows && status == AIORCH_OK; at += step) {
    step = rows - at < ROWS_AT_ONCE ? rows - at : ROWS_AT_ONCE;
    status = aio__safetensors_read(f->file, t, at * n, step * n, f->rows, &f->hash, f->error);
    if (status == AIORCH_OK && f->fill && !put_rows(f, &to, at, step, n))
      status = aio__error_set(f->error, AIORCH_E_MODEL, "%s: tensor \"%s\" has numbers too large for int8",
                              aio__safetensors_path(f->file), t->name);
  }
  return status;
}

/* ---- in order ---- */

static aiorch_status put_vector(filler *f, const char *name, float *out, size_t n) {
  return put(f, name, 0, 1, n, (target){.out = out});
}

static aiorch_status fill_embeddings(filler *f) {
  aio__bert *b = f->bert;
  const aio__model_config *c = &b->config;
  const size_t n = c->hidden;
  aiorch_status s = put(f, "embeddings.word_embeddings.weight", c->vocabulary, c->vocabulary, n,
                        (target){.out = b->words, .words = true});
  if (s == AIORCH_OK)
    s = put(f, "embeddings.position_embeddings.weight", c->positions, c->max_tokens, n, (target){.out = b->positions});
  for (size_t i = 0; i < c->max_tokens && s == AIORCH_OK; i++) {
    /* Read once for the digest, and added to each position: the type of every token is 0. */
    if (i == 0) s = put(f, "embeddings.token_type_embeddings.weight", c->types, 1, n, (target){.out = b->gamma});
    for (size_t j = 0; j < n && s == AIORCH_OK && f->fill; j++) b->positions[i * n + j] += b->gamma[j];
  }
  if (s == AIORCH_OK) s = put_vector(f, "embeddings.LayerNorm.weight", b->gamma, n);
  return s == AIORCH_OK ? put_vector(f, "embeddings.LayerNorm.bias", b->beta, n) : s;
}

static aiorch_status fill_linear(filler *f, size_t layer, const char *name, aio__linear *l, size_t first, size_t out) {
  char full[NAME_ROOM];
  (void)snprintf(full, sizeof full, "encoder.layer.%zu.%s.weight", layer, name);
  aiorch_status s = put(f, full, out, out, l->in, (target){.linear = l, .first = first});
  (void)snprintf(full, sizeof full, "encoder.layer.%zu.%s.bias", layer, name);
  return s == AIORCH_OK ? put_vector(f, full, l->bias + first, out) : s;
}

static aiorch_status fill_norm(filler *f, size_t layer, const char *name, float *gamma, float *beta) {
  char full[NAME_ROOM];
  size_t n = f->bert->config.hidden;
  (void)snprintf(full, sizeof full, "encoder.layer.%zu.%s.LayerNorm.weight", layer, name);
  aiorch_status s = put_vector(f, full, gamma, n);
  (void)snprintf(full, sizeof full, "encoder.layer.%zu.%s.LayerNorm.bias", layer, name);
  return s == AIORCH_OK ? put_vector(f, full, beta, n) : s;
}

static aiorch_status fill_layer(filler *f, size_t i) {
  const aio__model_config *c = &f->bert->config;
  aio__bert_layer *l = &f->bert->layers[i];
  aiorch_status s = fill_linear(f, i, "attention.self.query", &l->mix, 0, c->hidden);
  if (s == AIORCH_OK) s = fill_linear(f, i, "attention.self.key", &l->mix, c->hidden, c->hidden);
  if (s == AIORCH_OK) s = fill_linear(f, i, "attention.self.value", &l->mix, 2 * c->hidden, c->hidden);
  if (s == AIORCH_OK) s = fill_linear(f, i, "attention.output.dense", &l->merge, 0, c->hidden);
  if (s == AIORCH_OK) s = fill_norm(f, i, "attention.output", l->merge_gamma, l->merge_beta);
  if (s == AIORCH_OK) s = fill_linear(f, i, "intermediate.dense", &l->widen, 0, c->intermediate);
  if (s == AIORCH_OK) s = fill_linear(f, i, "output.dense", &l->narrow, 0, c->hidden);
  return s == AIORCH_OK ? fill_norm(f, i, "output", l->gamma, l->beta) : s;
}

aiorch_status aio__bert_fill(aio__bert *bert, const aio__safetensors *file, bool fill, uint8_t digest[AIO__SHA256_SIZE],
                             aiorch_error *error) {
  const aio__model_config *c = &bert->config;
  size_t longest = c->hidden > c->intermediate ? c->hidden : c->intermediate;
  filler f = {.bert = bert, .file = file, .prefix = "", .fill = fill, .error = error};
  if (aio__safetensors_find(file, "bert.embeddings.word_embeddings.weight") != NULL) f.prefix = "bert.";
  aio__sha256_init(&f.hash);
  f.rows = aio__calloc(bert->al, ROWS_AT_ONCE * longest, sizeof *f.rows);
  f.codes = aio__malloc(bert->al, ROWS_AT_ONCE * longest);
  aiorch_status status = AIORCH_OK;
  if (f.rows == NULL || f.codes == NULL)
    status = aio__error_set(error, AIORCH_E_NOMEM, "out of memory for a model's weights");
  if (status == AIORCH_OK) status = fill_embeddings(&f);
  for (size_t i = 0; i < c->layers && status == AIORCH_OK; i++) status = fill_layer(&f, i);
  aio__free(bert->al, f.rows);
  aio__free(bert->al, f.codes);
  aio__sha256_end(&f.hash, digest);
  return status;
}
