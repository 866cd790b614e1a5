/* A small BERT: see tiny_bert.h. */
#include "support/tiny_bert.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static _Noreturn void die(const char *what) {
  (void)fprintf(stderr, "tiny_bert: %s\n", what);
  exit(1);
}

static void *need(void *memory) {
  if (memory == NULL) die("out of memory");
  return memory;
}

/* ---- weights ---- */

static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

/* About normal, of the given spread. */
static float random_weight(uint32_t *state, float spread) {
  float sum = 0;
  for (int i = 0; i < 6; i++) sum += (float)next_random(state) / (float)(1 << 24) - 0.5f;
  return sum * spread * 1.4f;
}

static uint16_t to_half(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  int32_t exponent = (int32_t)(bits >> 23 & 0xFF) - 112;
  if (exponent <= 0 || exponent >= 31) return (uint16_t)(bits >> 16 & 0x8000);
  return (uint16_t)((bits >> 16 & 0x8000) | (uint32_t)exponent << 10 | (bits >> 13 & 0x3FF));
}

static float from_half(uint16_t half) {
  uint32_t exponent = half >> 10 & 0x1F;
  float sign = (half & 0x8000) != 0 ? -1.0f : 1.0f;
  return exponent == 0 ? 0.0f : sign * ldexpf((float)(0x400 | (half & 0x3FF)), (int)exponent - 25);
}

static float as_held(const char *dtype, float x) {
  uint32_t bits, kept = strcmp(dtype, "BF16") == 0 ? 0xFFFF0000 : 0xFFFFFFFF;
  float held;
  if (strcmp(dtype, "F16") == 0) return from_half(to_half(x));
  memcpy(&bits, &x, sizeof bits);
  bits &= kept;
  memcpy(&held, &bits, sizeof held);
  return held;
}

static void add(tiny_bert *b, uint32_t *state, size_t rows, size_t columns, float spread, float middle,
                const char *format, ...) __attribute__((format(printf, 7, 8)));

/* rows 0: a vector. */
static void add(tiny_bert *b, uint32_t *state, size_t rows, size_t columns, float spread, float middle,
                const char *format, ...) {
  if (b->tensor_count == TINY_TENSORS_MAX) die("too many tensors");
  tiny_tensor *t = &b->tensors[b->tensor_count++];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(t->name, sizeof t->name, format, args);
  va_end(args);
  t->rank = rows == 0 ? 1 : 2;
  t->shape[0] = rows == 0 ? columns : rows;
  t->shape[1] = columns;
  t->count = rows == 0 ? columns : rows * columns;
  t->values = need(malloc(t->count * sizeof *t->values));
  for (size_t i = 0; i < t->count; i++) t->values[i] = as_held(b->dtype, middle + random_weight(state, spread));
}

void tiny_bert_init(tiny_bert *b, uint32_t seed, const char *dtype, size_t layers, size_t hidden, size_t heads,
                    size_t intermediate) {
  memset(b, 0, sizeof *b);
  *b = (tiny_bert){.layers = layers, .hidden = hidden, .heads = heads, .intermediate = intermediate,
                   .vocabulary = TINY_WORDS, .positions = TINY_POSITIONS, .dtype = dtype, .prefix = "", .act = "gelu"};
  const float narrow = 1.0f / sqrtf((float)hidden), wide = 1.0f / sqrtf((float)intermediate);
  uint32_t *s = &seed;
  add(b, s, TINY_WORDS, hidden, 1, 0, "embeddings.word_embeddings.weight");
  add(b, s, TINY_POSITIONS, hidden, 0.3f, 0, "embeddings.position_embeddings.weight");
  add(b, s, 2, hidden, 0.1f, 0, "embeddings.token_type_embeddings.weight");
  add(b, s, 0, hidden, 0.2f, 1, "embeddings.LayerNorm.weight");
  add(b, s, 0, hidden, 0.2f, 0, "embeddings.LayerNorm.bias");
  for (size_t i = 0; i < layers; i++) {
    static const char *const square[] = {"attention.self.query", "attention.self.key", "attention.self.value",
                                         "attention.output.dense"};
    for (int j = 0; j < 4; j++) {
      add(b, s, hidden, hidden, j < 2 ? 2 * narrow : narrow, 0, "encoder.layer.%zu.%s.weight", i, square[j]);
      add(b, s, 0, hidden, 0.2f, 0, "encoder.layer.%zu.%s.bias", i, square[j]);
    }
    add(b, s, 0, hidden, 0.2f, 1, "encoder.layer.%zu.attention.output.LayerNorm.weight", i);
    add(b, s, 0, hidden, 0.2f, 0, "encoder.layer.%zu.attention.output.LayerNorm.bias", i);
    add(b, s, intermediate, hidden, 2 * narrow, 0, "encoder.layer.%zu.intermediate.dense.weight", i);
    add(b, s, 0, intermediate, 0.2f, 0, "encoder.layer.%zu.intermediate.dense.bias", i);
    add(b, s, hidden, intermediate, wide, 0, "encoder.layer.%zu.output.dense.weight", i);
    add(b, s, 0, hidden, 0.2f, 0, "encoder.layer.%zu.output.dense.bias", i);
    add(b, s, 0, hidden, 0.2f, 1, "encoder.layer.%zu.output.LayerNorm.weight", i);
    add(b, s, 0, hidden, 0.2f, 0, "encoder.layer.%zu.output.LayerNorm.bias", i);
  }
}

void tiny_bert_free(tiny_bert *b) {
  for (size_t i = 0; i < b->tensor_count; i++) free(b->tensors[i].values);
  b->tensor_count = 0;
}

tiny_tensor *tiny_bert_tensor(tiny_bert *b, const char *name) {
  for (size_t i = 0; i < b->tensor_count; i++) {
    if (strcmp(b->tensors[i].name, name) == 0) return &b->tensors[i];
  }
  die(name);
}

/* ---- files ---- */

void tiny_path(const char *name, char *out, size_t cap) {
  const char *folder = getenv("AIORCH_TEST_TMP");
  (void)snprintf(out, cap, "%s/%s", folder != NULL ? folder : ".", name);
}

void tiny_write_file(const char *folder, const char *name, const void *bytes, size_t len) {
  char path[4096];
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) die(path);
}

static size_t width_of(const char *dtype) {
  return strcmp(dtype, "F32") == 0 ? 4 : 2;
}

static void write_values(const tiny_tensor *t, const char *dtype, FILE *file) {
  const size_t width = width_of(dtype);
  const bool half = strcmp(dtype, "F16") == 0;
  uint8_t *bytes = need(malloc(t->count * width));
  for (size_t i = 0; i < t->count; i++) {
    uint32_t bits;
    memcpy(&bits, &t->values[i], sizeof bits);
    if (half) bits = to_half(t->values[i]);
    else if (width == 2) bits >>= 16;
    for (size_t byte = 0; byte < width; byte++) bytes[i * width + byte] = (uint8_t)(bits >> (8 * byte));
  }
  if (fwrite(bytes, width, t->count, file) != t->count) die(t->name);
  free(bytes);
}

void tiny_bert_write_weights(const tiny_bert *b, const char *folder) {
  char path[4096];
  static char header[1 << 16];
  size_t n = (size_t)snprintf(header, sizeof header, "{\"__metadata__\":{\"format\":\"pt\"}"), at = 0;
  for (size_t i = 0; i < b->tensor_count; i++) {
    const tiny_tensor *t = &b->tensors[i];
    char shape[64];
    if (t->left_out) continue;
    (void)snprintf(shape, sizeof shape, t->rank == 1 ? "%zu" : "%zu,%zu", t->shape[0], t->shape[1]);
    size_t end = at + t->count * width_of(b->dtype);
    n += (size_t)snprintf(header + n, sizeof header - n,
                          ",\"%s%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", b->prefix, t->name,
                          b->dtype, shape, at, end);
    at = end;
  }
  n += (size_t)snprintf(header + n, sizeof header - n, "}");
  (void)snprintf(path, sizeof path, "%s/model.safetensors.new", folder);
  FILE *file = fopen(path, "wb");
  if (file == NULL) die(path);
  for (int i = 0; i < 8; i++) (void)fputc((int)(n >> (8 * i) & 0xFF), file);
  (void)fwrite(header, 1, n, file);
  for (size_t i = 0; i < b->tensor_count; i++) {
    if (!b->tensors[i].left_out) write_values(&b->tensors[i], b->dtype, file);
  }
  char final[4096];
  (void)snprintf(final, sizeof final, "%s/model.safetensors", folder);
  if (fclose(file) != 0 || rename(path, final) != 0) die(final);
}

static void write_text(const char *folder, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void write_text(const char *folder, const char *name, const char *format, ...) {
  char text[2048];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  tiny_write_file(folder, name, text, (size_t)n);
}

void tiny_bert_write(const tiny_bert *b, const char *folder) {
  char path[4096], words[4096];
  size_t n = (size_t)snprintf(words, sizeof words, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
  for (size_t i = 4; i < b->vocabulary; i++) n += (size_t)snprintf(words + n, sizeof words - n, "w%zu\n", i);
  (void)snprintf(path, sizeof path, "%s/1_Pooling", folder);
  (void)mkdir(folder, 0755);
  (void)mkdir(path, 0755);
  tiny_write_file(folder, "vocab.txt", words, n);
  write_text(folder, "config.json",
             "{\"model_type\":\"bert\",\"hidden_act\":\"%s\",\"hidden_size\":%zu,\"intermediate_size\":%zu,"
             "\"num_hidden_layers\":%zu,\"num_attention_heads\":%zu,\"vocab_size\":%zu,\"max_position_embeddings\":%zu,"
             "\"type_vocab_size\":2,\"layer_norm_eps\":1e-12}",
             b->act, b->hidden, b->intermediate, b->layers, b->heads, b->vocabulary, b->positions);
  write_text(folder, "1_Pooling/config.json",
             "{\"word_embedding_dimension\":%zu,\"pooling_mode_cls_token\":%s,\"pooling_mode_mean_tokens\":%s}",
             b->hidden, b->cls ? "true" : "false", b->cls ? "false" : "true");
  write_text(folder, "sentence_bert_config.json", "{\"max_seq_length\":%d,\"do_lower_case\":false}", TINY_POSITIONS);
  tiny_bert_write_weights(b, folder);
}

/* ---- the forward pass ---- */

static const float *weight(tiny_bert *b, size_t layer, const char *name) {
  char full[128];
  (void)snprintf(full, sizeof full, "encoder.layer.%zu.%s", layer, name);
  return tiny_bert_tensor(b, full)->values;
}

/* out[n][outs] = x[n][ins] W^T + bias */
static void dense(tiny_bert *b, size_t layer, const char *name, const double *x, size_t n, size_t ins, size_t outs,
                  double *out) {
  char full[96];
  (void)snprintf(full, sizeof full, "%s.weight", name);
  const float *w = weight(b, layer, full);
  (void)snprintf(full, sizeof full, "%s.bias", name);
  const float *bias = weight(b, layer, full);
  for (size_t r = 0; r < n; r++) {
    for (size_t o = 0; o < outs; o++) {
      double sum = (double)bias[o];
      for (size_t i = 0; i < ins; i++) sum += x[r * ins + i] * (double)w[o * ins + i];
      out[r * outs + o] = sum;
    }
  }
}

static void norm(const float *gamma, const float *beta, double *x, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, x += n) {
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
      x[i] = (x[i] - mean) / sqrt(squares + 1e-12) * (double)gamma[i] + (double)beta[i];
  }
}

static void attention(const tiny_bert *b, const double *q, const double *k, const double *v, size_t n, double *out) {
  const size_t h = b->hidden, size = h / b->heads;
  double *p = need(malloc(n * sizeof *p));
  for (size_t head = 0; head < b->heads; head++) {
    for (size_t r = 0; r < n; r++) {
      const size_t at = r * h + head * size;
      double most = -1e300, sum = 0;
      for (size_t c = 0; c < n; c++) {
        p[c] = 0;
        for (size_t i = 0; i < size; i++) p[c] += q[at + i] * k[c * h + head * size + i];
        p[c] /= sqrt((double)size);
        most = fmax(most, p[c]);
      }
      for (size_t c = 0; c < n; c++) sum += p[c] = exp(p[c] - most);
      for (size_t i = 0; i < size; i++) {
        out[at + i] = 0;
        for (size_t c = 0; c < n; c++) out[at + i] += p[c] / sum * v[c * h + head * size + i];
      }
    }
  }
  free(p);
}

static double activation(const tiny_bert *b, double x) {
  if (strcmp(b->act, "gelu") == 0) return x * (1 + erf(x / sqrt(2))) / 2;
  return x * (1 + tanh(sqrt(2 / 3.14159265358979) * (x + 0.044715 * x * x * x))) / 2;
}

static void one_layer(tiny_bert *b, size_t l, double *x, double *y, double *wide, size_t n) {
  const size_t h = b->hidden, w = b->intermediate;
  double *q = wide, *k = q + n * h, *v = k + n * h, *mixed = v + n * h;
  dense(b, l, "attention.self.query", x, n, h, h, q);
  dense(b, l, "attention.self.key", x, n, h, h, k);
  dense(b, l, "attention.self.value", x, n, h, h, v);
  attention(b, q, k, v, n, mixed);
  dense(b, l, "attention.output.dense", mixed, n, h, h, y);
  for (size_t i = 0; i < n * h; i++) x[i] += y[i];
  norm(weight(b, l, "attention.output.LayerNorm.weight"), weight(b, l, "attention.output.LayerNorm.bias"), x, n, h);
  dense(b, l, "intermediate.dense", x, n, h, w, wide);
  for (size_t i = 0; i < n * w; i++) wide[i] = activation(b, wide[i]);
  dense(b, l, "output.dense", wide, n, w, h, y);
  for (size_t i = 0; i < n * h; i++) x[i] += y[i];
  norm(weight(b, l, "output.LayerNorm.weight"), weight(b, l, "output.LayerNorm.bias"), x, n, h);
}

void tiny_bert_embed(tiny_bert *b, const int32_t *ids, size_t n, double *out) {
  const size_t h = b->hidden, widest = 4 * h > b->intermediate ? 4 * h : b->intermediate;
  const float *words = tiny_bert_tensor(b, "embeddings.word_embeddings.weight")->values;
  const float *places = tiny_bert_tensor(b, "embeddings.position_embeddings.weight")->values;
  const float *types = tiny_bert_tensor(b, "embeddings.token_type_embeddings.weight")->values;
  double *x = need(malloc(n * h * sizeof *x)), *y = need(malloc(n * h * sizeof *y));
  double *wide = need(malloc(n * widest * sizeof *wide)), squares = 0;
  for (size_t r = 0; r < n; r++) {
    for (size_t i = 0; i < h; i++)
      x[r * h + i] = (double)words[(size_t)ids[r] * h + i] + (double)places[r * h + i] + (double)types[i];
  }
  norm(tiny_bert_tensor(b, "embeddings.LayerNorm.weight")->values,
       tiny_bert_tensor(b, "embeddings.LayerNorm.bias")->values, x, n, h);
  for (size_t l = 0; l < b->layers; l++) one_layer(b, l, x, y, wide, n);
  for (size_t i = 0; i < h; i++) {
    out[i] = x[i];
    for (size_t r = 1; r < n && !b->cls; r++) out[i] += x[r * h + i];
    squares += out[i] * out[i];
  }
  for (size_t i = 0; i < h; i++) out[i] /= sqrt(squares);
  free(x);
  free(y);
  free(wide);
}

double tiny_cosine(const float *a, const double *b, size_t n) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < n; i++) {
    dot += (double)a[i] * b[i];
    aa += (double)a[i] * (double)a[i];
    bb += b[i] * b[i];
  }
  return dot / sqrt(aa * bb);
}
