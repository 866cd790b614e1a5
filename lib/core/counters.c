/* Counting with relaxed atomics: no figure orders anything, each is exact on its own. */
#include "core/counters.h"

#include <aiorch/types.h>

static const int64_t BOUNDS_US[AIO__BUCKETS - 1] = {10,    30,    100,    300,    1000,    3000,
                                                    10000, 30000, 100000, 300000, 1000000, 3000000};

static uint64_t load(const _Atomic uint64_t *figure) {
  return atomic_load_explicit(figure, memory_order_relaxed);
}

static void add(_Atomic uint64_t *figure, uint64_t amount) {
  atomic_fetch_add_explicit(figure, amount, memory_order_relaxed);
}

void aio__counters_init(aio__counters *counters) {
  for (int i = 0; i < AIO__COUNTER_COUNT; i++) atomic_init(&counters->n[i], 0);
  for (int stage = 0; stage < AIORCH_STAGE_COUNT; stage++) {
    atomic_init(&counters->stage[stage].sum_us, 0);
    for (int i = 0; i < AIO__BUCKETS; i++) atomic_init(&counters->stage[stage].bucket[i], 0);
  }
}

void aio__count(aio__counters *counters, int which) {
  add(&counters->n[which], 1);
}

void aio__count_stage(aio__counters *counters, int stage, int64_t us) {
  if (us < 0) us = 0;
  int bucket = 0;
  while (bucket < AIO__BUCKETS - 1 && us > BOUNDS_US[bucket]) bucket++;
  add(&counters->stage[stage].sum_us, (uint64_t)us);
  add(&counters->stage[stage].bucket[bucket], 1);
}

static void put_stage(const aio__counters *counters, int stage, aio__json_writer *w) {
  uint64_t up_to[AIO__BUCKETS], total = 0;
  for (int i = 0; i < AIO__BUCKETS; i++) {
    total += load(&counters->stage[stage].bucket[i]);
    up_to[i] = total;
  }
  aio__jw_key(w, aiorch_stage_name(stage));
  aio__jw_object(w);
  aio__jw_ki64(w, "count", (int64_t)total);
  aio__jw_ki64(w, "sum_us", (int64_t)load(&counters->stage[stage].sum_us));
  aio__jw_key(w, "buckets");
  aio__jw_array(w);
  for (int i = 0; i < AIO__BUCKETS; i++) {
    aio__jw_object(w);
    if (i < AIO__BUCKETS - 1) aio__jw_ki64(w, "le_us", BOUNDS_US[i]);
    else aio__jw_knull(w, "le_us");
    aio__jw_ki64(w, "count", (int64_t)up_to[i]);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
  aio__jw_object_end(w);
}

void aio__counters_json(const aio__counters *counters, aio__json_writer *w) {
  static const char *const names[AIO__COUNTER_COUNT] = {
#define X(suffix, name) name,
    AIO__COUNTERS(X)
#undef X
  };
  aio__jw_key(w, "counters");
  aio__jw_object(w);
  for (int i = 0; i < AIO__COUNTER_COUNT; i++) aio__jw_ki64(w, names[i], (int64_t)load(&counters->n[i]));
  aio__jw_object_end(w);
  aio__jw_key(w, "stages");
  aio__jw_object(w);
  for (int stage = 0; stage < AIORCH_STAGE_COUNT; stage++) put_stage(counters, stage, w);
  aio__jw_object_end(w);
}
