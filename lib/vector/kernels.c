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

bool aio__code_fit_of(const aio__code_sums *sums, aio__code_fit *fit) {
  double length = sqrt(sums->row);
  if (!(fabs(length - 1) <= AIO__UNIT_SLACK)) return false; /* so written that a NaN is refused */
  double off = sqrt(sums->rest) / length, coarse_off = off + sums->size * sqrt(sums->low) / length;
  fit->unit = (float)(1 / sqrt(sums->code));
  fit->coarse_unit = (float)(1 / sqrt(sums->high));
  /* A thousandth and a millionth more than was measured, for what rounding took. */
  fit->error = (float)(off * 1.001 + 1e-6);
  fit->coarse_error = (float)(coarse_off * 1.001 + 1e-6);
  return true;
}
