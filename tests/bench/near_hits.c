/*
 * What a comparison of two questions costs: near_hits [--json]
 *
 * Pairs of about 100 bytes that pass, so that every guard is asked, and texts of 10,000 characters made to be
 * expensive. The time of one check is the least of many rounds; what others do at the same time only ever adds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard/hit_guard.h"
#include "support/figures.h"

enum { ROUNDS = 400, CHECKS = 200, LONG_ROUNDS = 10, LONG = 10000, ARENA_BLOCK = 1 << 16 };

static const char *const PAIRS[][2] = {
  {"How do I transfer 250 euros from my savings account to a friend in Berlin without paying a fee?",
   "Is there a way of sending 250 euros from my savings account to a friend in Berlin without a fee?"},
  {"Why doesn't the PostgreSQL service on db-01 start after the update to version 15.4 on Monday?",
   "PostgreSQL on db-01 does not start since Monday's update to version 15.4, what could be the reason?"},
  {"What does the option --dry-run of `deploy.sh` do when max_retries is larger than three?",
   "When max_retries is larger than 3, what is the effect of --dry-run in `deploy.sh`?"},
};

static const char *const LONG_TEXTS[] = {
  "a ",    "from a to b ",     "not ", "1 ",  "2024-05-03 ",   "red blue ", "`x` ", "AB ",
  "turn ", "one hundred and ", "B.",   "aB_", "before after ",
};

static double check_us(const aio__hit_guard *guard, aio__str a, aio__str b, int rounds, int checks) {
  aio__arena arena;
  aio__hit_finding finding;
  double best = 1e18;
  for (int r = 0; r < rounds; r++) {
    double start = now_us();
    for (int i = 0; i < checks; i++) {
      aio__arena_init(&arena, aio__alloc_default(), ARENA_BLOCK);
      if (aio__hit_guard_check(guard, &arena, a, b, &finding) != AIORCH_OK) exit(1);
      aio__arena_free(&arena);
    }
    double took = (now_us() - start) / checks;
    if (took < best) best = took;
  }
  return best;
}

int main(int argc, char **argv) {
  bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
  aio__hit_guard *guard = NULL;
  double start = now_us(), sum = 0, worst = 0;
  const char *worst_text = "";
  if (aio__hit_guard_new(aio__alloc_default(), &guard, NULL) != AIORCH_OK) return 1;
  double made = now_us() - start;
  size_t pairs = sizeof PAIRS / sizeof PAIRS[0];
  for (size_t i = 0; i < pairs; i++) {
    aio__hit_finding finding;
    aio__arena arena;
    aio__str a = aio__str_z(PAIRS[i][0]), b = aio__str_z(PAIRS[i][1]);
    aio__arena_init(&arena, aio__alloc_default(), ARENA_BLOCK);
    if (aio__hit_guard_check(guard, &arena, a, b, &finding) != AIORCH_OK) return 1;
    aio__arena_free(&arena);
    if (finding.refused_by != AIO__HIT_PASS)
      fprintf(stderr, "near_hits: pair %zu does not pass: %s (%s)\n", i, aio__hit_refusal_name(finding.refused_by),
              finding.detail);
    sum += check_us(guard, a, b, ROUNDS, CHECKS);
  }
  for (size_t i = 0; i < sizeof LONG_TEXTS / sizeof LONG_TEXTS[0]; i++) {
    static char a[LONG + 64], b[LONG + 64];
    size_t n = 0, len = strlen(LONG_TEXTS[i]);
    while (n + len <= LONG) memcpy(a + n, LONG_TEXTS[i], len), n += len;
    memcpy(b, a, n);
    memcpy(b + n, "x", 2); /* or they would be equal */
    double took = check_us(guard, aio__str_n(a, n), aio__str_z(b), LONG_ROUNDS, 1);
    if (took > worst) worst = took, worst_text = LONG_TEXTS[i];
  }
  double mean = sum / (double)pairs;
  if (json) {
    printf("{\"check_us\":%.2f,\"long_us\":%.0f,\"new_us\":%.0f}\n", mean, worst, made);
  } else {
    printf("two questions of 100 bytes: %.2f us\nmaking the guards: %.0f us\n", mean, made);
    printf("two texts of 10,000 characters, the worst (\"%s...\"): %.0f us\n", worst_text, worst);
  }
  aio__hit_guard_free(guard);
  return 0;
}
