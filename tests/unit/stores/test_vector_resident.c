/* Indexes in memory: whose turn it is, who waits, and who leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "stores/vector_resident.h"
#include "support/test_alloc.h"

enum { DIM = 32 };

typedef struct fixture {
  aio__test_alloc memory;
  aio__options options;
  aio__residents set;
  aiorch_error error;
} fixture;

static aiorch_status init(fixture *f, const char *cpu, int64_t memory_max) {
  aio__store_env env = {.al = &f->memory.al, .clock = aio__clock_system(), .options = &f->options};
  f->options.cpu = (char *)(uintptr_t)cpu;
  f->options.vector_memory_max = memory_max;
  return aio__residents_init(&f->set, &env, &f->error);
}

static int setup(void **state) {
  static fixture f;
  memset(&f, 0, sizeof f);
  aio__test_alloc_init(&f.memory);
  aio__error_init(&f.error);
  assert_int_equal(init(&f, "auto", 1 << 20), AIORCH_OK);
  *state = &f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  aio__residents_free(&f->set);
  assert_int_equal(f->memory.live, 0);
  return 0;
}

static aio__resident *take(fixture *f, uint64_t model) {
  aio__resident *r = NULL;
  assert_int_equal(aio__resident_take(&f->set, model, DIM, &r), AIORCH_OK);
  return r;
}

/* Takes it and fills it with `count` vectors, as the caller whose turn it is. */
static aio__resident *hold(fixture *f, uint64_t model, size_t count) {
  float row[DIM] = {1.0f};
  aio__resident *r = take(f, model);
  assert_int_equal(aio__resident_claim(&f->set, r, 1), AIORCH_PENDING);
  for (size_t i = 0; i < count; i++) assert_int_equal(aio__index_put(r->index, i, 0, row), AIORCH_OK);
  r->seen = 1;
  r->filled = AIO__RESIDENT_FULL;
  assert_int_equal(aio__resident_done(&f->set, r, &f->error), AIORCH_OK);
  return r;
}

static void fill(fixture *f, uint64_t model, size_t count) {
  aio__resident_give(&f->set, hold(f, model, count));
}

static void test_residents_init__unknown_processor(void **state) {
  (void)state;
  fixture f;
  memset(&f, 0, sizeof f);
  aio__test_alloc_init(&f.memory);
  aio__error_init(&f.error);
  aiorch_status status = init(&f, "avx512", 1 << 20);
  assert_int_equal(status, aio__cpu_best() == AIO__CPU_AVX512 ? AIORCH_OK : AIORCH_E_UNSUPPORTED);
  aio__residents_free(&f.set);
  aio__residents_free(&f.set); /* takes one that is no more */
  assert_int_equal(f.memory.live, 0);
}

static void test_resident_claim__one_after_the_other(void **state) {
  fixture *f = *state;
  aio__resident *a = take(f, 7), *b = take(f, 7);
  assert_ptr_equal(a, b);
  assert_int_equal(a->filled, -1);
  assert_int_equal(aio__resident_claim(&f->set, a, 0), AIORCH_PENDING);
  assert_int_equal(aio__resident_claim(&f->set, b, 0), AIORCH_AGAIN);
  assert_false(aio__resident_wait(&f->set, b, aio__clock_now(aio__clock_system()) + 1));
  a->seen = 3;
  assert_int_equal(aio__resident_done(&f->set, a, &f->error), AIORCH_OK); /* it broke off: nothing can be searched yet */
  assert_true(aio__resident_wait(&f->set, b, AIO__NEVER));
  assert_int_equal(aio__resident_claim(&f->set, b, 0), AIORCH_PENDING);
  b->filled = AIO__RESIDENT_FULL;
  assert_int_equal(aio__resident_done(&f->set, b, &f->error), AIORCH_OK);
  assert_int_equal(aio__resident_claim(&f->set, a, 3), AIORCH_OK);
  assert_int_equal(aio__resident_claim(&f->set, a, 2), AIORCH_OK);
  assert_int_equal(aio__resident_claim(&f->set, a, 4), AIORCH_PENDING);
  assert_int_equal(aio__resident_claim(&f->set, b, 3), AIORCH_OK); /* who needs no more does not wait */
  assert_int_equal(aio__resident_claim(&f->set, b, 4), AIORCH_AGAIN);
  assert_int_equal(aio__resident_done(&f->set, a, &f->error), AIORCH_OK);
  aio__resident_give(&f->set, a);
  aio__resident_give(&f->set, b);
}

static void test_resident_give__least_recently_used_leave(void **state) {
  fixture *f = *state;
  fill(f, 1, 5000);
  size_t each = aio__residents_bytes(&f->set);
  for (uint64_t model = 2; model < 20; model++) {
    fill(f, model, 5000);
    assert_true(aio__residents_bytes(&f->set) <= 1 << 20);
    aio__resident *first = take(f, 1); /* always the last but one to be used */
    assert_int_equal(aio__resident_claim(&f->set, first, 1), AIORCH_OK);
    aio__resident_give(&f->set, first);
  }
  aio__resident *gone = take(f, 5), *last = take(f, 19);
  assert_int_equal(aio__resident_claim(&f->set, last, 1), AIORCH_OK);
  assert_int_equal(gone->filled, -1);
  aio__resident_give(&f->set, gone);
  aio__resident_give(&f->set, last);
  assert_true(aio__residents_bytes(&f->set) > each);
}

/* What is in use stays, however much it is. */
static void test_resident_give__in_use_is_not_freed(void **state) {
  fixture *f = *state;
  aio__resident *held[8];
  float row[DIM] = {1.0f};
  for (uint64_t i = 0; i < 8; i++) {
    held[i] = hold(f, i, 5000);
    assert_int_equal(aio__resident_claim(&f->set, held[i], 1), AIORCH_OK);
  }
  assert_true(aio__residents_bytes(&f->set) > 1 << 20);
  for (uint64_t i = 0; i < 8; i++) {
    assert_int_equal(aio__index_count(held[i]->index), 5000);
    assert_int_equal(aio__index_put(held[i]->index, 1, 0, row), AIORCH_OK);
  }
  for (uint64_t i = 0; i < 8; i++) aio__resident_give(&f->set, held[i]);
  assert_true(aio__residents_bytes(&f->set) <= 1 << 20);
}

static void test_resident_reserve__more_than_there_may_be(void **state) {
  fixture *f = *state;
  fill(f, 1, 5000);
  aio__resident *r = take(f, 2);
  assert_int_equal(aio__resident_claim(&f->set, r, 1), AIORCH_PENDING);
  assert_int_equal(aio__resident_reserve(&f->set, r, 1000000, &f->error), AIORCH_E_TOO_LARGE);
  assert_non_null(strstr(f->error.message, "vector.memory_max"));
  assert_int_equal(aio__resident_reserve(&f->set, r, 12000, &f->error), AIORCH_OK); /* the other makes room */
  assert_true(aio__residents_bytes(&f->set) <= 1 << 20);
  assert_ptr_equal(f->set.oldest, r);
  assert_int_equal(aio__resident_done(&f->set, r, &f->error), AIORCH_OK);
  aio__resident_give(&f->set, r);
}

static void test_resident_done__more_than_there_may_be(void **state) {
  fixture *f = *state;
  float row[DIM] = {1.0f};
  aio__resident *r = take(f, 2);
  assert_int_equal(aio__resident_claim(&f->set, r, 1), AIORCH_PENDING);
  for (uint64_t i = 0; i < 20000; i++) assert_int_equal(aio__index_put(r->index, i, 0, row), AIORCH_OK);
  assert_int_equal(aio__resident_done(&f->set, r, &f->error), AIORCH_E_TOO_LARGE);
  assert_int_equal(aio__resident_claim(&f->set, r, 1), AIORCH_AGAIN); /* it has left */
  aio__resident_give(&f->set, r);
  assert_int_equal(aio__residents_bytes(&f->set), 0);
}

static void test_resident_take__vectors_of_another_size(void **state) {
  fixture *f = *state;
  fill(f, 1, 10);
  aio__resident *old = take(f, 1), *r = NULL;
  assert_int_equal(aio__resident_take(&f->set, 1, DIM * 2, &r), AIORCH_OK);
  assert_ptr_not_equal(r, old);
  assert_int_equal(r->filled, -1);
  assert_int_equal(aio__index_count(old->index), 10); /* for who has it still */
  aio__resident_give(&f->set, old);
  aio__resident_give(&f->set, r);
}

static void test_residents_forget__what_is_there_and_what_is_not(void **state) {
  fixture *f = *state;
  fill(f, 1, 10);
  aio__residents_forget(&f->set, 1);
  aio__residents_forget(&f->set, 1);
  assert_int_equal(aio__residents_bytes(&f->set), 0);
  fill(f, 2, 10);
  aio__resident *r = take(f, 2);
  aio__residents_forget(&f->set, 2);
  assert_int_equal(aio__index_count(r->index), 10);
  aio__resident_leave(&f->set, r); /* once more is no harm */
  aio__resident_give(&f->set, r);
  assert_int_equal(aio__residents_bytes(&f->set), 0);
  aio__resident_give(&f->set, NULL);
}

typedef struct waiter {
  fixture *f;
  aio__resident *r;
  bool over;
} waiter;

static void *wait_for_turn(void *ctx) {
  waiter *w = ctx;
  w->over = aio__resident_wait(&w->f->set, w->r, AIO__NEVER);
  return NULL;
}

static void test_resident_wait__until_it_is_done(void **state) {
  fixture *f = *state;
  pthread_t thread;
  aio__resident *r = take(f, 1);
  waiter w = {f, r, false};
  assert_int_equal(aio__resident_claim(&f->set, r, 1), AIORCH_PENDING);
  assert_int_equal(pthread_create(&thread, NULL, wait_for_turn, &w), 0);
  assert_int_equal(aio__resident_done(&f->set, r, &f->error), AIORCH_OK);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(w.over);
  aio__resident_give(&f->set, r);
}

static void test_resident_take__out_of_memory(void **state) {
  fixture *f = *state;
  aiorch_status status;
  f->memory.fail_at = 0;
  do {
    aio__resident *r = NULL;
    aio__test_alloc_next(&f->memory);
    status = aio__resident_take(&f->set, 3, DIM, &r);
    assert_int_equal(status, f->memory.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    if (status == AIORCH_OK) aio__resident_give(&f->set, r);
  } while (f->memory.failed > 0);
  f->memory.fail_at = 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    CASE(test_residents_init__unknown_processor),
    CASE(test_resident_claim__one_after_the_other),
    CASE(test_resident_give__least_recently_used_leave),
    CASE(test_resident_give__in_use_is_not_freed),
    CASE(test_resident_reserve__more_than_there_may_be),
    CASE(test_resident_done__more_than_there_may_be),
    CASE(test_resident_take__vectors_of_another_size),
    CASE(test_residents_forget__what_is_there_and_what_is_not),
    CASE(test_resident_wait__until_it_is_done),
    CASE(test_resident_take__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
