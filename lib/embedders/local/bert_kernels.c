/* Which level, the curves of the activation functions, and how weights are packed. */
#include "embedders/local/bert_kernels.h"

#include <math.h>

/* Fitted with least greatest error over Chebyshev nodes; t(|x|) at the end is 1e-7 for both, 1.3e-4 at the rough one. */
const aio__curve aio__curve_gelu = {
  5.5f,
  {-0.0151769238f, -0.000805240193f, 0.0968963362f, -0.0364084422f, -0.253706109f, 0.230841262f, 0.269596751f,
   -0.544099183f, 0.152560462f, 0.459222925f, -0.628607789f, 0.260516121f, 0.178981046f, -0.308689762f, 0.191261898f,
   -0.0605777496f, 0.00819438051f},
  4,
  {0.0257051871f, 0.0185191122f, -0.142381604f, 0.0229228656f, 0.286959842f, -0.304754295f,
   0.000261371154f, 0.217945393f, -0.170479222f, 0.0454621577f}};

const aio__curve aio__curve_gelu_tanh = {
  5.5f,
  {-0.00581840643f, -0.0124065105f, 0.0525053936f, 0.0230924087f, -0.169780453f, 0.100055103f, 0.195455745f,
   -0.385454426f, 0.170835161f, 0.346584087f, -0.607943721f, 0.305313991f, 0.16013178f, -0.316822691f, 0.19689147f,
   -0.0603621471f, 0.00772303304f},
  4,
  {0.0225896565f, 0.01862116f, -0.132511835f, 0.0223242581f, 0.27487542f, -0.303877162f,
   0.00726630511f, 0.217632151f, -0.172184212f, 0.0453658677f}};

const aio__bert_kernels *aio__bert_kernels_for(aio__cpu cpu) {
  if (cpu >= AIO__CPU_AVX512 && aio__bert_kernels_avx512 != NULL) return aio__bert_kernels_avx512;
  if (cpu >= AIO__CPU_AVX2 && aio__bert_kernels_avx2 != NULL) return aio__bert_kernels_avx2;
  return aio__bert_kernels_plain;
}

size_t aio__code_place(size_t i, size_t n) {
  const size_t first = i / AIO__ROTATION_MAX * AIO__ROTATION_MAX, left = n - first;
  const size_t parts = (left < AIO__ROTATION_MAX ? left : AIO__ROTATION_MAX) / 32, part = (i - first) / 32, at = i % 32;
  return first + at % 8 * 4 * parts + part * 4 + at / 16 + at / 8 % 2 * 2;
}

size_t aio__code_row(size_t n) {
  return n + (n + AIO__ROTATION_MAX - 1) / AIO__ROTATION_MAX * AIO__CODE_GROUPS * sizeof(int16_t);
}

/* The greatest of the groups. */
static int32_t squares_of(const float *x, float by, size_t n) {
  int32_t most = 0;
  for (size_t first = 0; first < n; first += AIO__ROTATION_MAX) {
    const size_t end = n - first < AIO__ROTATION_MAX ? n : first + AIO__ROTATION_MAX;
    for (size_t group = 0; group < AIO__CODE_GROUPS; group++) {
      int32_t sum = 0;
      for (size_t i = first + group; i < end; i += AIO__CODE_GROUPS) {
        int8_t code = (int8_t)lrintf(x[i] * by);
        sum += code * code;
      }
      most = sum > most ? sum : most;
    }
  }
  return most < UINT16_MAX ? most : UINT16_MAX;
}

float aio__code_most_next(float most, int32_t squares, int32_t limit) {
  return most * sqrtf((float)squares / (float)limit) * 1.01f; /* a little more: rounding can lengthen a group */
}

float aio__code_most(const float *x, size_t n, float most, int32_t limit) {
  for (int i = 0; i < AIO__CODE_TRIES && most > AIO__CODE_LEAST; i++) {
    int32_t squares = squares_of(x, AIO__CODE_MAX / most, n);
    if (squares <= limit) break;
    most = aio__code_most_next(most, squares, limit);
  }
  return most;
}

void aio__pack_f32(const float *rows, size_t first, size_t count, size_t k, float *panels) {
  for (size_t row = 0; row < count; row++) {
    size_t n = first + row;
    float *out = panels + n / AIO__PANEL * AIO__PANEL * k + n % AIO__PANEL;
    for (size_t i = 0; i < k; i++) out[i * AIO__PANEL] = rows[row * k + i];
  }
}

void aio__pack_i8(const int8_t *rows, size_t first, size_t count, size_t k, uint8_t *panels) {
  for (size_t row = 0; row < count; row++) {
    size_t n = first + row;
    uint8_t *out = panels + n / AIO__PANEL * AIO__PANEL * k + n % AIO__PANEL * 4;
    for (size_t i = 0; i < k; i++) {
      size_t place = aio__code_place(i, k);
      out[place / 4 * AIO__PANEL * 4 + place % 4] = (uint8_t)(rows[row * k + i] + 128);
    }
  }
}

void aio__rotate(float *x, size_t n, size_t rotation) {
  for (float *group = x; group < x + n; group += rotation) {
    for (size_t half = 1; half < rotation; half *= 2) {
      for (size_t i = 0; i < rotation; i++) {
        if ((i & half) != 0) continue;
        float a = group[i], b = group[i + half];
        group[i] = a + b;
        group[i + half] = a - b;
      }
    }
  }
}

size_t aio__rotation_of(size_t n) {
  size_t rotation = AIO__ROTATION_MAX;
  while (n % rotation != 0) rotation /= 2;
  return rotation;
}
