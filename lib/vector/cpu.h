/*
 * Which instructions the kernels of vector/ and embedders/local/ use. Each kernel is written once in plain C and once a
 * level; all levels give results within the tolerance that the kernel's header names.
 */
#ifndef AIO_VECTOR_CPU_H
#define AIO_VECTOR_CPU_H

#include "core/error.h"

typedef enum aio__cpu {
  AIO__CPU_PLAIN = 0,
  AIO__CPU_AVX2,  /* with FMA and F16C */
  AIO__CPU_AVX512 /* F, BW, DQ, VL and VNNI */
} aio__cpu;

/* The best level that the processor and the system offer. Threads: any; asks anew at each call, no state. */
aio__cpu aio__cpu_best(void);
/* From the setting "cpu": "auto", "plain", "avx2", "avx512". AIORCH_E_UNSUPPORTED when this machine lacks it. */
aiorch_status aio__cpu_from_setting(const char *setting, aio__cpu *out, aiorch_error *error);
const char *aio__cpu_name(aio__cpu cpu);

#endif
