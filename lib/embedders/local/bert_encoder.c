/* The forward pass of a BERT encoder (post-norm), from ids to unit vectors. */
#include "embedders/local/bert_encoder.h"

#include <math.h>
#include <string.h>

enum {
  QUERY_ROWS = 32, /* of attention at once: their scores stay in the first-level cache */
  WIDE_ROWS = 128, /* of the feed-forward part at once */
  ALIGNMENT = 64
};

typedef struct pass {
  const aio__bert *bert;
  const aio__bert_kernels *kernels;
  size_t rows;      /* tokens */
  float *x;         /* [rows][hidden]: the state */
  float *y;         /* [rows][hidden]: what is added to it */
  float *mixed;     /* [rows][hidden]: what attention gives */
  float *wide;      /* [rows][3 hidden], or [WIDE_ROWS][intermediate] */
  int8_t *codes;    /* activations of one product, rounded */
  float *scale;     /* [rows] */
  int32_t *sum;     /* [rows] */
  float *scratch;   /* [intermediate or hidden] */
  float *keys;      /* [head][longest]: one head's keys, turned */
  float *scores;    /* [QUERY_ROWS][longest] */
  float inverse[QUERY_ROWS];
} pass;

/* ---- room ---- */

static size_t round_up(size_t n, size_t to) {
  return (n + to - 1) / to * to;
}

static size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

/* The next `bytes` of the room; before there is one, what counts them. */
static void *cut(char *room, size_t *at, size_t bytes) {
  void *here = room != NULL ? room + *at : NULL;
  *at += round_up(bytes, ALIGNMENT);
  return here;
}

static size_t cut_room(pass *p, char *room, size_t longest) {
  const aio__model_config *c = &p->bert->config;
  const size_t f = sizeof(float), h = c->hidden, rows = p->rows, wide_rows = rows < WIDE_ROWS ? rows : WIDE_ROWS;
  const size_t span = round_up(longest, AIO__STEP);
  size_t at = 0;
  p->x = cut(room, &at, rows * h * f);
  p->y = cut(room, &at, rows * h * f);
  p->mixed = cut(room, &at, rows * h * f);
  p->wide = cut(room, &at, larger(rows * 3 * h, wide_rows * c->intermediate) * f);
  p->codes = cut(room, &at, larger(rows * aio__code_row(h), wide_rows * aio__code_row(c->intermediate)));
  p->scale = cut(room, &at, rows * f);
  p->sum = cut(room, &at, rows * sizeof *p->sum);
  p->scratch = cut(room, &at, larger(h, c->intermediate) * f);
  p->keys = cut(room, &at, h / c->heads * span * f);
  p->scores = cut(room, &at, QUERY_ROWS * span * f);
  return at;
}

size_t aio__encoder_room(const aio__bert *bert, const aio__bert_kernels *kernels, size_t tokens, size_t longest) {
  pass p = {.bert = bert, .kernels = kernels, .rows = tokens};
  return cut_room(&p, NULL, longest) + ALIGNMENT;
}

/* ---- the parts of a layer ---- */

/* out = x * weights + bias; with a curve it is applied to x first, which f32 changes in place. */
static void linear(pass *p, const aio__linear *l, const aio__curve *curve, float *x, size_t rows, float *out) {
  const aio__bert_kernels *k = p->kernels;
  if (p->bert->precision == AIO__LOCAL_F32) {
    if (curve != NULL) k->curve(curve, x, rows * l->in);
    const aio__matmul_f32 m = {.a = x, .b = l->panels, .bias = l->bias, .out = out, .lda = l->in, .ldb = AIO__PANEL,
                               .panel = AIO__PANEL * l->in, .ldo = l->out, .rows = rows, .k = l->in, .n = l->out};
    k->matmul_f32(&m);
    return;
  }
  const aio__quantize q = {.x = x, .curve = curve, .codes = p->codes, .scale = p->scale, .sum = p->sum,
                           .scratch = p->scratch, .ldx = l->in, .rows = rows, .n = l->in, .rotation = l->rotation};
  k->quantize(&q);
  const aio__matmul_i8 m = {.codes = p->codes, .scale = p->scale, .sum = p->sum, .b = l->panels,
                            .column_scale = l->scale, .bias = l->bias, .out = out, .ldo = l->out, .rows = rows,
                            .k = l->in, .n = l->out};
  k->matmul_i8(&m);
}

/* One head of one text, whose tokens are `n` rows from `first` on. */
static void attend(pass *p, size_t head, size_t first, size_t n) {
  const aio__bert_kernels *k = p->kernels;
  const size_t h = p->bert->config.hidden, size = h / p->bert->config.heads, span = round_up(n, AIO__STEP);
  const float *queries = p->wide + first * 3 * h + head * size, *keys = queries + h, *values = keys + h;
  const float log2_e = 1.44269504f, factor = log2_e / sqrtf((float)size);
  k->turn(keys, 3 * h, n, size, span, p->keys);
  for (size_t row = 0, rows; row < n; row += rows) {
    rows = n - row < QUERY_ROWS ? n - row : QUERY_ROWS;
    const aio__matmul_f32 score = {.a = queries + row * 3 * h, .b = p->keys, .out = p->scores, .lda = 3 * h,
                                   .ldb = span, .panel = AIO__PANEL, .ldo = span, .rows = rows, .k = size, .n = span};
    k->matmul_f32(&score);
    k->softmax(p->scores, p->inverse, factor, rows, n, span);
    const aio__matmul_f32 mix = {.a = p->scores, .b = values, .row_scale = p->inverse,
                                 .out = p->mixed + (first + row) * h + head * size, .lda = span, .ldb = 3 * h,
                                 .panel = AIO__PANEL, .ldo = h, .rows = rows, .k = n, .n = size};
    k->matmul_f32(&mix);
  }
}

static void layer(pass *p, const aio__bert_layer *l, const size_t *lengths, size_t count) {
  const aio__model_config *c = &p->bert->config;
  linear(p, &l->mix, NULL, p->x, p->rows, p->wide);
  for (size_t i = 0, first = 0; i < count; first += lengths[i++]) {
    for (size_t head = 0; head < c->heads; head++) attend(p, head, first, lengths[i]);
  }
  linear(p, &l->merge, NULL, p->mixed, p->rows, p->y);
  p->kernels->norm(p->x, p->y, l->merge_gamma, l->merge_beta, c->norm_eps, p->rows, c->hidden);
  for (size_t row = 0, rows; row < p->rows; row += rows) {
    rows = p->rows - row < WIDE_ROWS ? p->rows - row : WIDE_ROWS;
    linear(p, &l->widen, NULL, p->x + row * c->hidden, rows, p->wide);
    linear(p, &l->narrow, c->curve, p->wide, rows, p->y + row * c->hidden);
  }
  p->kernels->norm(p->x, p->y, l->gamma, l->beta, c->norm_eps, p->rows, c->hidden);
}

/* ---- in and out ---- */

static void look_up(const aio__bert *b, int32_t id, size_t position, float *x) {
  const size_t h = b->config.hidden, word = (size_t)id * h;
  const float *at = b->positions + position * h;
  if (b->precision == AIO__LOCAL_F32) {
    const float *words = (const float *)b->words + word;
    for (size_t i = 0; i < h; i++) x[i] = words[i] + at[i];
    return;
  }
  const int8_t *words = (const int8_t *)b->words + word;
  float scale = b->word_scale[id];
  for (size_t i = 0; i < h; i++) x[i] = (float)words[i] * scale + at[i];
}

static bool pool(const aio__model_config *c, const float *x, size_t rows, float *out) {
  const size_t h = c->hidden;
  double squares = 0;
  memcpy(out, x, h * sizeof *out);
  for (size_t r = 1; r < rows && !c->first_token; r++) {
    for (size_t i = 0; i < h; i++) out[i] += x[r * h + i];
  }
  for (size_t i = 0; i < h; i++) squares += (double)out[i] * (double)out[i];
  if (!(squares > 0 && squares < 1e60)) return false;
  float by = (float)(1 / sqrt(squares));
  for (size_t i = 0; i < h; i++) out[i] *= by;
  return true;
}

bool aio__encoder_run(const aio__bert *bert, const aio__bert_kernels *kernels, const int32_t *ids, const size_t *lengths,
                      size_t count, void *room, float *out) {
  const aio__model_config *c = &bert->config;
  pass p = {.bert = bert, .kernels = kernels};
  size_t longest = 0, row = 0;
  bool good = true;
  for (size_t i = 0; i < count; i++) {
    p.rows += lengths[i];
    longest = larger(longest, lengths[i]);
  }
  (void)cut_room(&p, (char *)room + (ALIGNMENT - (uintptr_t)room % ALIGNMENT) % ALIGNMENT, longest);
  for (size_t i = 0; i < count; i++) {
    for (size_t t = 0; t < lengths[i]; t++, row++) look_up(bert, ids[row], t, p.x + row * c->hidden);
  }
  kernels->norm(p.x, NULL, bert->gamma, bert->beta, c->norm_eps, p.rows, c->hidden);
  for (size_t i = 0; i < c->layers; i++) layer(&p, &bert->layers[i], lengths, count);
  row = 0;
  for (size_t i = 0; i < count; row += lengths[i++])
    good = pool(c, p.x + row * c->hidden, lengths[i], out + i * c->hidden) && good;
  return good;
}
