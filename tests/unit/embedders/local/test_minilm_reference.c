/* all-MiniLM-L6-v2 beside its reference vectors: f32 exact, int8 near, at every level of this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/embedding_reference.h"

/* The longest lines that are compared on ids: plain C takes its time. From text to vector all of them are. */
enum { MAX_TOKENS = 256, PLAIN_TOKENS = 8, F32_TOKENS = 40 };

static reference ref;

static void test_f32__is_exact(void **state) {
  (void)state;
  for (int cpu = AIO__CPU_PLAIN; cpu <= (int)aio__cpu_best(); cpu++)
    reference_check_ids(&ref, AIO__LOCAL_F32, (aio__cpu)cpu,
                        cpu == AIO__CPU_PLAIN ? PLAIN_TOKENS : F32_TOKENS, 0.9999999, 0.9999999);
  reference_check_texts(&ref, AIO__LOCAL_F32, 0.9999999, 0.9999999);
}

static void test_int8__is_near(void **state) {
  (void)state;
  for (int cpu = AIO__CPU_PLAIN; cpu <= (int)aio__cpu_best(); cpu++)
    reference_check_ids(&ref, AIO__LOCAL_INT8, (aio__cpu)cpu,
                        cpu == AIO__CPU_PLAIN ? PLAIN_TOKENS : MAX_TOKENS, cpu == AIO__CPU_PLAIN ? .997 : .9992, .998);
  reference_check_texts(&ref, AIO__LOCAL_INT8, .9992, .998);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_f32__is_exact),
    cmocka_unit_test(test_int8__is_near),
  };
  if (!reference_open(&ref, "all-MiniLM-L6-v2", "embedding/minilm.f32", MAX_TOKENS)) return 77;
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  reference_close(&ref);
  return failed;
}
