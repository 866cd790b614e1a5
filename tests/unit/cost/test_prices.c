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
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"input\": 2000000, \"cache_read\": 3000000, "
                        "\"cache_write\": "
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
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"output\": 9000000}, {\"model\": \"z\", \"output\": "
                        "9000000, "
                        "\"reasoning\": 0}]}");
  expect_cost(p, "m", N(0, 0, 0, 0, 1, 2), 27);
  expect_cost(p, "z", N(0, 0, 0, 0, 1, 2), 9);
  aio__prices_free(p);
}

static void test_cost__rounds_half_up_once_over_the_sum(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"input\": 400000, \"cache_read\": 100000, \"output\": "
                        "499999}]}");
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
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"input\": 1000000000, \"cache_read\": 24000000, "
                        "\"output\": 1000000, "
                        "\"cache_write\": 499999, \"reasoning\": 500000}]}");
  /* 2^53 * 1000 + (2^53 - 1) * 24 + 23 = 2^63 - 1 */
  const int64_t m = TOKENS_MAX;
  expect_cost(p, "m", N(m, m - 1, 0, 0, 23, 0), INT64_MAX);
  expect_cost(p, "m", N(m, m - 1, 1, 0, 23, 0), INT64_MAX);     /* and 0.499999 */
  expect_unknown(p, "m", N(m, m - 1, 0, 0, 23, 1));             /* and 0.5, rounded up */
  expect_unknown(p, "m", N(m, m - 1, 0, 0, 24, 0));
  expect_cost(p, "m", N(m, m - 1, 0, 0, 22, 1), INT64_MAX);
  aio__prices_free(p);
  p = make("{\"prices\": [{\"model\": \"m\", \"input\": 9007199254740992}]}");
  expect_cost(p, "m", N(1023999999, 0, 0, 0, 0, 0), INT64_C(9223372027847576553)); /* of one product alone */
  expect_unknown(p, "m", N(1024000000, 0, 0, 0, 0, 0));
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
    snprintf(json, sizeof json, "{\"prices\": [{\"model\": \"m\", \"input\": %lld, \"cache_read\": %lld, "
                                "\"cache_write\": %lld, "
             "\"cache_write_1h\": %lld, \"output\": %lld, \"reasoning\": %lld}]}", (long long)price[0],
                 (long long)price[1],
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

/* ---- which line ---- */

static int64_t input_price(const aio__prices *prices, const char *provider, const char *model, int64_t tokens,
                           int64_t wall_ms) {
  const aio__price_line *line = aio__prices_find(prices, aio__str_z(provider), aio__str_z(model), tokens, wall_ms);
  return line == NULL ? -1 : line->price[AIORCH_USAGE_INPUT];
}

static void test_match__patterns(void **state) {
  (void)state;
  static const struct {
    const char *patterns, *name;
    bool wanted;
  } cases[] = {
      {"a", "a", true},          {"a", "b", false},          {"a", "", false},         {"a", "ab", false},
      {"ab", "a", false},        {"*", "", true},            {"*", "any", true},       {"a*", "a", true},
      {"a*", "abc", true},       {"a*", "ba", false},        {"*c", "abc", true},      {"*c", "cb", false},
      {"a*c", "ac", true},       {"a*c", "abcbc", true},     {"a*c", "abcb", false},   {"?", "a", true},
      {"?", "", false},          {"?", "ab", false},         {"a?c", "abc", true},     {"a?c", "ac", false},
      {"x|a", "a", true},        {"x|a", "x", true},         {"x|a", "x|a", false},    {"x||a", "", false},
      {"|", "", false},          {"x|*b", "ab", true},       {"a**b", "ab", true},     {"*a*b*", "xxaxxbxx", true},
      {"*a*b*", "xxbxxa", false}, {"a*b*c", "axbxbxc", true}, {"aaa*aab", "aaaaaab", true}, {"A", "a", false},
      {"a*", "a|b", true},       {"gpt-?-20??", "gpt-6-2026", true}, {"gpt-?-20??", "gpt-6-202", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (aio__prices_match(aio__str_z(cases[i].patterns), aio__str_z(cases[i].name)) != cases[i].wanted) {
      fail_msg("%s and %s", cases[i].patterns, cases[i].name);
    }
  }
}

static void test_match__many_stars_take_no_exponential_time(void **state) {
  (void)state;
  char name[2001], pattern[201];
  memset(name, 'a', 2000);
  name[2000] = '\0';
  for (int i = 0; i < 100; i++) memcpy(pattern + i * 2, "a*", 2);
  strcpy(pattern + 198, "b");
  assert_false(aio__prices_match(aio__str_z(pattern), aio__str_z(name)));
}

static void test_find__the_first_that_matches_counts(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"m-1\", \"input\": 1}, {\"model\": \"m-*\", \"input\": 2}, "
                        "{\"provider\": \"x|y*\", \"model\": \"*\", \"input\": 3}, {\"model\": \"m-2\", \"input\": 4}, "
                        "{\"provider\": \"z\", \"model\": \"*\", \"input\": 5}]}");
  assert_int_equal(input_price(p, "z", "other", 1, 0), 5);
  assert_int_equal(input_price(p, "p", "other", 1, 0), -1);
  assert_int_equal(input_price(p, "p", "m-1", 1, 0), 1);
  assert_int_equal(input_price(p, "p", "m-2", 1, 0), 2);
  assert_int_equal(input_price(p, "x", "m-2", 1, 0), 2);
  assert_int_equal(input_price(p, "x", "other", 1, 0), 3);
  assert_int_equal(input_price(p, "yy", "other", 1, 0), 3);
  assert_int_equal(input_price(p, "xx", "other", 1, 0), -1);
  assert_int_equal(input_price(p, "", "other", 1, 0), -1);
  aio__prices_free(p);
}

static void test_find__tiers_by_the_length_of_the_prompt(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"above_tokens\": 200, \"input\": 3000000, "
                        "\"cache_read\": 0, "
                        "\"cache_write\": 0, \"output\": 5000000}, {\"model\": \"m\", \"above_tokens\": 0, "
                        "\"input\": 2000000, "
                        "\"output\": 1000000, \"cache_read\": 0, \"cache_write\": 0}, {\"model\": \"m\", "
                        "\"output\": 7000000}]}");
  assert_int_equal(input_price(p, "p", "m", 200, 0), 2000000);
  assert_int_equal(input_price(p, "p", "m", 201, 0), 3000000);
  assert_int_equal(input_price(p, "p", "m", 1, 0), 2000000);
  assert_int_equal(input_price(p, "p", "m", 0, 0), -1);
  /* all of the prompt counts, and the price is that of the whole request */
  expect_cost(p, "m", N(200, 0, 0, 0, 1000, 0), 400 + 1000);
  expect_cost(p, "m", N(200, 1, 0, 0, 1, 0), 600 + 5);
  expect_cost(p, "m", N(200, 0, 1, 0, 1, 0), 600 + 5);
  expect_cost(p, "m", N(100, 0, 0, 0, 1, 500), 200 + 501); /* output makes no prompt long */
  expect_cost(p, "m", N(0, 0, 0, 0, 1, 0), 7);
  aio__prices_free(p);
}

static void test_find__from_a_date_on(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"from\": \"2027-01-01\", \"input\": 3}, {\"model\": \"m\", "
                        "\"from\": \"2026-02-28\", \"input\": 2}, {\"model\": \"n\", \"from\": \"1970-01-01\", "
                        "\"input\": 1}]}");
  const int64_t y2027 = INT64_C(1798761600000), feb28 = INT64_C(1772236800000);
  assert_int_equal(input_price(p, "p", "m", 1, y2027), 3);
  assert_int_equal(input_price(p, "p", "m", 1, y2027 - 1), 2);
  assert_int_equal(input_price(p, "p", "m", 1, feb28), 2);
  assert_int_equal(input_price(p, "p", "m", 1, feb28 - 1), -1);
  assert_int_equal(input_price(p, "p", "n", 1, 0), 1);
  assert_int_equal(input_price(p, "p", "n", 1, -1), -1);
  aio__prices_free(p);
}

static void test_find__hours_of_the_day(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"m\", \"utc\": \"01:00-04:30\", \"input\": 9}, {\"model\": \"m\", "
                        "\"utc\": \"23:59-24:00\", \"input\": 8}, {\"model\": \"m\", \"input\": 1}]}");
  const int64_t minute = 60000, day = 1440 * minute;
  for (int64_t start = 0; start <= 20000 * day; start += 10000 * day) {
    assert_int_equal(input_price(p, "p", "m", 1, start), 1);
    assert_int_equal(input_price(p, "p", "m", 1, start + 60 * minute - 1), 1);
    assert_int_equal(input_price(p, "p", "m", 1, start + 60 * minute), 9);
    assert_int_equal(input_price(p, "p", "m", 1, start + 270 * minute - 1), 9);
    assert_int_equal(input_price(p, "p", "m", 1, start + 270 * minute), 1);
    assert_int_equal(input_price(p, "p", "m", 1, start + 1439 * minute - 1), 1);
    assert_int_equal(input_price(p, "p", "m", 1, start + 1439 * minute), 8);
    assert_int_equal(input_price(p, "p", "m", 1, start + day - 1), 8);
  }
  assert_int_equal(input_price(p, "p", "m", 1, -90 * minute), 1); /* a clock before 1970 is no reason to fail */
  aio__prices_free(p);
}

static void test_new__overrides_come_first(void **state) {
  (void)state;
  aio__prices *p = make("{\"prices\": [{\"model\": \"claude-opus-5-5\", \"input\": 77}]}"), *q = make("");
  assert_int_equal(input_price(p, "p", "claude-opus-5-5", 1, 0), 77);
  assert_int_equal(input_price(q, "p", "claude-opus-5-5", 1, 0), INT64_C(4000000000));
  assert_int_equal(aio__prices_count(p), aio__prices_count(q) + 1);
  assert_int_equal(aio__prices_line(p, 0)->price[0], 77);
  assert_ptr_equal(aio__prices_line(p, aio__prices_count(p)), NULL);
  aio__prices_free(p);
  aio__prices_free(q);
  aio__prices_free(NULL);
}

static void test_new__faulty_overrides_are_an_error(void **state) {
  (void)state;
  aio__prices *p = NULL;
  aiorch_error error;
  aio__error_init(&error);
  assert_int_equal(aio__prices_new(aio__alloc_default(), AIO__LIT("{"), &p, &error), AIORCH_E_CONFIG);
  assert_non_null(strstr(aiorch_error_message(&error), "cost.prices_file"));
  assert_null(p);
}

static void test_new__out_of_memory_leaks_nothing(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__prices *p = NULL;
    aio__test_alloc_next(&t);
    aiorch_status status = aio__prices_new(&t.al, AIO__LIT("{\"prices\": [{\"model\": \"m\"}]}"), &p, NULL);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__prices_free(p);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

/* ---- the file that is built in ---- */

static const int64_t NOV_2026 = INT64_C(1795521600000); /* 2026-11-24 12:00 */
static const int64_t DAY = INT64_C(86400000);

static void test_file__every_line_says_when_and_where(void **state) {
  (void)state;
  aio__prices *p = make("");
  assert_true(aio__prices_count(p) > 80);
  for (size_t i = 0; i < aio__prices_count(p); i++) {
    const aio__price_line *line = aio__prices_line(p, i);
    assert_int_equal(line->date.n, 10);
    assert_true(line->source.n > 5);
    assert_true(line->price[AIORCH_USAGE_INPUT] >= 0);
    for (int k = 0; k < AIORCH_USAGE_COUNT; k++) assert_true(line->price[k] <= INT64_C(200000000000)); /* $200 */
  }
  aio__prices_free(p);
}

/* The first alternative of a pattern with its wildcards filled in. */
static void example_of(aio__str patterns, char out[128]) {
  size_t n = 0;
  while (n < patterns.n && n < 127 && patterns.p[n] != '|') {
    out[n] = patterns.p[n] == '*' || patterns.p[n] == '?' ? '1' : patterns.p[n];
    n++;
  }
  out[n] = '\0';
}

static void test_file__every_line_can_be_reached(void **state) {
  (void)state;
  aio__prices *p = make("");
  for (size_t i = 0; i < aio__prices_count(p); i++) {
    const aio__price_line *line = aio__prices_line(p, i);
    char provider[128], model[128];
    example_of(line->provider, provider);
    example_of(line->model, model);
    int64_t day = line->from_ms == INT64_MIN ? 0 : line->from_ms;
    const aio__price_line *found = aio__prices_find(p, aio__str_z(provider), aio__str_z(model), line->above_tokens + 1,
                                                    day + line->begin_min * INT64_C(60000));
    if (found != line) fail_msg("line %zu for %s %s is hidden by an earlier one", i, provider, model);
  }
  aio__prices_free(p);
}

static void test_file__known_prices(void **state) {
  (void)state;
  aio__prices *p = make("");
  static const struct {
    const char *provider, *model;
    int64_t tokens, days, input; /* days from 2026-11-24; US dollars * 1000 per million tokens */
  } cases[] = {
      {"anthropic", "claude-opus-5-5", 1, 0, 4000},        {"x", "claude-opus-5-5-20260901", 1, 0, 4000},
      {"anthropic", "claude-opus-5-20260301", 1, 0, 5000}, {"anthropic", "claude-sonnet-4-5", 200000, 0, 3000},
      {"anthropic", "claude-sonnet-4-5", 200001, 0, 6000}, {"anthropic", "claude-haiku-5-5", 100000, 0, 100},
      {"anthropic", "claude-haiku-5-5", 100001, 0, 500},   {"openai", "gpt-5.6-sol", 1, 0, 4000},
      {"openai", "gpt-5.6-sol", 1, -120, 5000},            {"openai", "gpt-5.4", 271999, 0, 2500},
      {"openai", "gpt-5.4", 272000, 0, 5000},              {"openai", "gpt-5.4-mini", 1, 0, 750},
      {"openai", "gpt-6-sol", 272000, 0, 2000},            {"openai", "gpt-6-sol", 272001, 0, 4000},
      {"gemini", "gemini-3.8-flash", 1, 0, 750},           {"gemini", "gemini-3.8-flash", 1, 38, 1500},
      {"gemini", "gemini-2.5-pro", 200001, 0, 2500},       {"groq", "llama-3.3-70b-versatile", 1, 0, 590},
      {"other", "llama-3.3-70b-versatile", 1, 0, -1},      {"openai", "text-embedding-3-small", 1, 0, 20},
      {"extractive", "extractive", 1, 0, 0},               {"local", "whatever", 1, 0, 0},
      {"ollama", "gpt-oss:20b", 1, -4000, 0},              {"openai", "gpt-7-from-the-future", 1, 0, -1},
      {"openai", "gpt-5.4-turbo", 1, 0, -1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int64_t got = input_price(p, cases[i].provider, cases[i].model, cases[i].tokens, NOV_2026 + cases[i].days * DAY);
    int64_t wanted = cases[i].input < 0 ? -1 : cases[i].input * 1000000;
    if (got != wanted) fail_msg("%s %s: %lld", cases[i].provider, cases[i].model, (long long)got);
  }
  const aio__price_line *sonnet =
      aio__prices_find(p, AIO__LIT("a"), AIO__LIT("claude-sonnet-5-5"), 1, INT64_C(1791417600000)); /* 2026-10-08 */
  assert_int_equal(sonnet->price[AIORCH_USAGE_CACHE_READ], 100000000);
  sonnet = aio__prices_find(p, AIO__LIT("a"), AIO__LIT("claude-sonnet-5-5"), 1, INT64_C(1791417600000) - 1);
  assert_int_equal(sonnet->price[AIORCH_USAGE_CACHE_READ], 200000000);
  aio__prices_free(p);
}

static void test_cost__a_request_by_hand(void **state) {
  (void)state;
  aio__prices *p = make("");
  int64_t cost = 0;
  /* claude-opus-5-5: 1200 * 4 + 3000 * 0.2 + (500 - 200) * 5 + 200 * 8 + 350 * 20 USD a million */
  assert_true(cost_at(p, "claude-opus-5-5", N(1200, 3000, 500, 200, 350, 0), NOV_2026, &cost));
  assert_int_equal(cost, 4800000 + 600000 + 1500000 + 1600000 + 7000000);
  aio__prices_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cost__every_class_at_its_own_price),
      cmocka_unit_test(test_cost__reasoning_is_output_unless_priced),
      cmocka_unit_test(test_cost__rounds_half_up_once_over_the_sum),
      cmocka_unit_test(test_cost__unknown_is_unknown),
      cmocka_unit_test(test_cost__refuses_counts_that_are_none),
      cmocka_unit_test(test_cost__up_to_int64_and_not_beyond),
      cmocka_unit_test(test_cost__equals_the_sum_in_128_bits),
      cmocka_unit_test(test_match__patterns),
      cmocka_unit_test(test_match__many_stars_take_no_exponential_time),
      cmocka_unit_test(test_find__the_first_that_matches_counts),
      cmocka_unit_test(test_find__tiers_by_the_length_of_the_prompt),
      cmocka_unit_test(test_find__from_a_date_on),
      cmocka_unit_test(test_find__hours_of_the_day),
      cmocka_unit_test(test_new__overrides_come_first),
      cmocka_unit_test(test_new__faulty_overrides_are_an_error),
      cmocka_unit_test(test_new__out_of_memory_leaks_nothing),
      cmocka_unit_test(test_file__every_line_says_when_and_where),
      cmocka_unit_test(test_file__every_line_can_be_reached),
      cmocka_unit_test(test_file__known_prices),
      cmocka_unit_test(test_cost__a_request_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
