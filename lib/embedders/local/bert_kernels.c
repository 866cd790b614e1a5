/* Which level, the curves of the activation functions, and how weights are packed. */
#include "embedders/local/bert_kernels.h"

/* Fitted with least greatest error over Chebyshev nodes; t(|x|) at the end is 1e-7 for both. */
const aio__curve aio__curve_gelu = {
  5.5f,
  {-0.0151769238f, -0.000805240193f, 0.0968963362f, -0.0364084422f, -0.253706109f, 0.230841262f, 0.269596751f,
   -0.544099183f, 0.152560462f, 0.459222925f, -0.628607789f, 0.260516121f, 0.178981046f, -0.308689762f, 0.191261898f,
   -0.0605777496f, 0.00819438051f}};

const aio__curve aio__curve_gelu_tanh = {
  5.5f,
  {-0.00581840643f, -0.0124065105f, 0.0525053936f, 0.0230924087f, -0.169780453f, 0.100055103f, 0.195455745f,
   -0.385454426f, 0.170835161f, 0.346584087f, -0.607943721f, 0.305313991f, 0.16013178f, -0.316822691f, 0.19689147f,
   -0.0603621471f, 0.00772303304f}};

const aio__bert_kernels *aio__bert_kernels_for(aio__cpu cpu) {
  if (cpu >= AIO__CPU_AVX512 && aio__bert_kernels_avx512 != NULL) return aio__bert_kernels_avx512;
  if (cpu >= AIO__CPU_AVX2 && aio__bert_kernels_avx2 != NULL) return aio__bert_kernels_avx2;
  return aio__bert_kernels_plain;
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
    for (size_t i = 0; i < k; i++) out[i / 4 * AIO__PANEL * 4 + i % 4] = (uint8_t)(rows[row * k + i] + 128);
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
