/* lib/cost/prices.c and the data of lib/cost/prices.json */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include <aiorch/error.h>

#include "core/data.h"
#include "cost/prices.h"
#include "support/test_alloc.h"

__extension__ typedef unsigned __int128 u128;

static const int64_t TOKENS_MAX = INT64_C(9007199254740992);

static aio__prices *make(const char *overrides) {
  aio__prices *prices = NULL;
  assert_int_equal(aio__prices_new(aio__alloc_default(), aio__str_z(overrides), &prices, NULL), AIORCH_OK);
  return prices;
}

static bool cost_at(const aio__prices *prices, const char *model, const int64_t n[AIORCH_USAGE_COUNT], int64_t wall_ms,
                    int64_t *out) {
  aio__usage usage;
  aio__usage_clear(&usage);
  memcpy(usage.n, n, sizeof usage.n);
  return aio__prices_cost(prices, AIO__LIT("p"), aio__str_z(model), &usage, wall_ms, out);
}

static void expect_cost(const aio__prices *prices, const char *model, const int64_t n[AIORCH_USAGE_COUNT],
                        int64_t wanted) {
  int64_t cost = -7;
  assert_true(cost_at(prices, model, n, 0, &cost));
  if (cost != wanted) fail_msg("%s: %lld, not %lld", model, (long long)cost, (long long)wanted);
}

static void expect_unknown(const aio__prices *prices, const char *model, const int64_t n[AIORCH_USAGE_COUNT]) {
  int64_t cost = -7;
  assert_false(cost_at(prices, model, n, 0, &cost));
  assert_int_equal(cost, -7);
}

#define N(...) ((const int64_t[AIORCH_USAGE_COUNT]){__VA_ARGS__})

static void test_cost__every_class_at_its_own_price(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"input\": 2000000, \"cache_read\": 3000000, \"cache_write\": "
                        "5000000, \"cache_write_1h\": 7000000, \"output\": 11000000, \"reasoning\": 13000000}]}");
  expect_cost(p, "m", N(1, 0, 0, 0, 0, 0), 2);
  expect_cost(p, "m", N(0, 1, 0, 0, 0, 0), 3);
  expect_cost(p, "m", N(0, 0, 1, 0, 0, 0), 5);
  expect_cost(p, "m", N(0, 0, 1, 1, 0, 0), 7);
  expect_cost(p, "m", N(0, 0, 3, 1, 0, 0), 17);
  expect_cost(p, "m", N(0, 0, 0, 0, 1, 0), 11);
  expect_cost(p, "m", N(0, 0, 0, 0, 0, 1), 13);
  expect_cost(p, "m", N(1, 1, 2, 1, 1, 1), 2 + 3 + 5 + 7 + 11 + 13);
  expect_cost(p, "m", N(0, 0, 0, 2, 0, 0), 14); /* a report that contradicts itself is not made cheaper */
  aio__prices_free(p);
}

static void test_cost__reasoning_is_output_unless_priced(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"output\": 9000000}, {\"model\": \"z\", \"output\": 9000000, "
                        "\"reasoning\": 0}]}");
  expect_cost(p, "m", N(0, 0, 0, 0, 1, 2), 27);
  expect_cost(p, "z", N(0, 0, 0, 0, 1, 2), 9);
  aio__prices_free(p);
}

static void test_cost__rounds_half_up_once_over_the_sum(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"input\": 400000, \"cache_read\": 100000, \"output\": 499999}]}");
  expect_cost(p, "m", N(1, 0, 0, 0, 0, 0), 0);   /* 0.4 */
  expect_cost(p, "m", N(1, 1, 0, 0, 0, 0), 1);   /* 0.4 + 0.1: apart they would both be nothing */
  expect_cost(p, "m", N(0, 0, 0, 0, 1, 0), 0);   /* 0.499999 */
  expect_cost(p, "m", N(0, 5, 0, 0, 0, 0), 1);   /* 0.5 */
  expect_cost(p, "m", N(0, 4, 0, 0, 0, 0), 0);
  expect_cost(p, "m", N(0, 14, 0, 0, 0, 0), 1);  /* 1.4 */
  expect_cost(p, "m", N(0, 15, 0, 0, 0, 0), 2);
  expect_cost(p, "m", N(1, 0, 0, 0, 1, 0), 1);   /* 0.899999 */
  aio__prices_free(p);
}

static void test_cost__unknown_is_unknown(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"input\": 1000000}, {\"model\": \"o\", \"output\": 0}]}");
  expect_cost(p, "m", N(5, 0, 0, 0, 0, 0), 5);
  expect_unknown(p, "m", N(5, 1, 0, 0, 0, 0));
  expect_unknown(p, "m", N(5, 0, 1, 0, 0, 0));
  expect_unknown(p, "m", N(5, 0, 1, 1, 0, 0));
  expect_unknown(p, "m", N(5, 0, 0, 0, 1, 0));
  expect_unknown(p, "m", N(5, 0, 0, 0, 0, 1));
  expect_unknown(p, "o", N(1, 0, 0, 0, 0, 0));
  expect_cost(p, "o", N(0, 0, 0, 0, 9, 9), 0);
  expect_unknown(p, "nobody's model", N(1, 0, 0, 0, 0, 0));
  expect_cost(p, "nobody's model", N(0, 0, 0, 0, 0, 0), 0); /* no class is in use */
  expect_cost(p, "m", N(0, 0, 0, 0, 0, 0), 0);
  aio__prices_free(p);
}

static void test_cost__refuses_counts_that_are_none(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"input\": 1, \"cache_read\": 1, \"cache_write\": 1, "
                        "\"cache_write_1h\": 1, \"output\": 1}]}");
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) {
    int64_t n[AIORCH_USAGE_COUNT] = {1, 1, 1, 1, 1, 1}, cost;
    n[i] = -1;
    assert_false(cost_at(p, "m", n, 0, &cost));
    n[i] = TOKENS_MAX + 1;
    assert_false(cost_at(p, "m", n, 0, &cost));
    n[i] = TOKENS_MAX;
    assert_true(cost_at(p, "m", n, 0, &cost));
  }
  aio__prices_free(p);
}

static void test_cost__up_to_int64_and_not_beyond(void **state) {
  (void)state;
  char json[400];
  /* 9223372036 * 10^6 tokens at p: p = 10^6 * 10^3 gives 9223372036 * 10^9 nano-USD */
  snprintf(json, sizeof json, "{\"prices\": [{\"model\": \"m\", \"input\": 1000000000, \"output\": 1000000, \"cache_read\": 500000, "
                              "\"cache_write\": 1, \"cache_write_1h\": 499999}]}");
  aio__prices *p = make(json);
  /* INT64_MAX = 9223372036854775 * 1000 + 807 */
  expect_unknown(p, "m", N(TOKENS_MAX, 0, 0, 0, TOKENS_MAX, 0) + 0 * 0); /* 9.007e18 + 9.007e15 < 9.22e18? see below */
  aio__prices_free(p);
}

/* The same sum, done in 128 bits the plain way. False when it passes int64 or a price is missing. */
static bool plain_cost(const int64_t price[AIORCH_USAGE_COUNT], const int64_t n[AIORCH_USAGE_COUNT], int64_t *out) {
  int64_t tokens[AIORCH_USAGE_COUNT];
  memcpy(tokens, n, sizeof tokens);
  tokens[AIORCH_USAGE_CACHE_WRITE] = n[2] > n[3] ? n[2] - n[3] : 0;
  u128 sum = 0;
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) sum += (u128)tokens[i] * (u128)price[i];
  sum = (sum + 500000) / 1000000;
  *out = (int64_t)sum;
  return sum <= (u128)INT64_MAX;
}

static uint64_t next_random(uint64_t *seed) {
  *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return *seed >> 11 ^ *seed << 21;
}

/* Numbers of all sizes up to 2^53, with the ends more often than by chance. */
static int64_t random_count(uint64_t *seed) {
  uint64_t r = next_random(seed) & (UINT64_MAX >> 11);
  switch (next_random(seed) % 8) {
    case 0: return 0;
    case 1: return TOKENS_MAX;
    case 2: return (int64_t)(r % 3 + 999999);
    case 3: return (int64_t)(r % 1000) * 1000000;
    default: return (int64_t)(r >> next_random(seed) % 53);
  }
}

static void test_cost__equals_the_sum_in_128_bits(void **state) {
  (void)state;
  uint64_t seed = 20261124;
  int known = 0, over = 0;
  for (int table = 0; table < 200; table++) {
    char json[600];
    int64_t price[AIORCH_USAGE_COUNT];
    for (int i = 0; i < AIORCH_USAGE_COUNT; i++) price[i] = random_count(&seed);
    snprintf(json, sizeof json, "{\"prices\": [{\"model\": \"m\", \"input\": %lld, \"cache_read\": %lld, \"cache_write\": %lld, "
             "\"cache_write_1h\": %lld, \"output\": %lld, \"reasoning\": %lld}]}", (long long)price[0], (long long)price[1],
             (long long)price[2], (long long)price[3], (long long)price[4], (long long)price[5]);
    aio__prices *p = make(json);
    for (int k = 0; k < 200; k++) {
      int64_t n[AIORCH_USAGE_COUNT], wanted, got = 0;
      int shift = (int)(next_random(&seed) % 50);
      for (int i = 0; i < AIORCH_USAGE_COUNT; i++) n[i] = random_count(&seed) >> shift;
      bool fits = plain_cost(price, n, &wanted);
      if (cost_at(p, "m", n, 0, &got) != fits || (fits && got != wanted)) {
        fail_msg("%s: %lld, not %lld", json, (long long)got, (long long)wanted);
      }
      known += fits;
      over += !fits;
    }
    aio__prices_free(p);
  }
  assert_true(known > 1000);
  assert_true(over > 1000);
}
