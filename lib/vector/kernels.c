/* Which kernels belong to which level, and what all levels share. */
#include "vector/kernels.h"

#include <math.h>

const aio__kernels *aio__kernels_of(aio__cpu cpu) {
#if defined(AIO__KERNELS_X86)
  if (cpu == AIO__CPU_AVX512) return &aio__kernels_avx512;
  if (cpu == AIO__CPU_AVX2) return &aio__kernels_avx2;
#endif
  (void)cpu;
  return &aio__kernels_plain;
}

bool aio__code_fit_of(double row_squares, double code_squares, double rest_squares, aio__code_fit *fit) {
  double length = sqrt(row_squares);
  if (!(fabs(length - 1) <= AIO__UNIT_SLACK)) return false; /* so written that a NaN is refused */
  fit->unit = (float)(1 / sqrt(code_squares));
  /* A thousandth and a millionth more than was measured, for what rounding took. */
  fit->error = (float)(sqrt(rest_squares) / length * 1.001 + 1e-6);
  return true;
}
