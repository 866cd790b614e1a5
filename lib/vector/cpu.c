/* What the processor and the system offer. The compiler's run-time library has asked both when the program started. */
#include "vector/cpu.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define CAN_ASK 1
#endif

#if defined(CAN_ASK)
/* Not every compiler has a word for F16C. The system keeps its registers if it keeps those of AVX. */
static bool has_f16c(void) {
  uint32_t eax = 1, ebx, ecx = 0, edx;
  __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  (void)ebx, (void)edx;
  return (ecx >> 29 & 1) != 0;
}
#endif

aio__cpu aio__cpu_best(void) {
#if defined(CAN_ASK)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c()) return AIO__CPU_PLAIN;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
    return AIO__CPU_AVX512;
  return AIO__CPU_AVX2;
#else
  return AIO__CPU_PLAIN;
#endif
}

static const char *const names[] = {"plain", "avx2", "avx512"};

aiorch_status aio__cpu_from_setting(const char *setting, aio__cpu *out, aiorch_error *error) {
  aio__cpu best = aio__cpu_best();
  if (strcmp(setting, "auto") == 0) {
    *out = best;
    return AIORCH_OK;
  }
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(setting, names[i]) != 0) continue;
    if (i > (size_t)best)
      return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                            "cpu is \"%s\", which this processor or system lacks; its best is \"%s\"", setting,
                            names[best]);
    *out = (aio__cpu)i;
    return AIORCH_OK;
  }
  return aio__error_set(error, AIORCH_E_UNSUPPORTED, "cpu is \"%s\"; it can be auto, plain, avx2 or avx512", setting);
}

const char *aio__cpu_name(aio__cpu cpu) {
  return (size_t)cpu < sizeof names / sizeof names[0] ? names[cpu] : "unknown";
}
