/* lib/stores/sqlite_document.c: SQLite out of memory at each place of a change, and what comes after. (label: threads) */
#include "stores/conformance.c"

#include "stores/sqlite_folder.c"

/* SQLite's own memory: the nth call fails, once. */
static sqlite3_mem_methods real;
static long calls, fail_at;

static bool fails(void) { return ++calls == fail_at; }
static void *failing_malloc(int n) { return fails() ? NULL : real.xMalloc(n); }
static void *failing_realloc(void *p, int n) { return fails() ? NULL : real.xRealloc(p, n); }

static void hook_memory(void) {
  assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real), SQLITE_OK);
  sqlite3_mem_methods hooked = real;
  hooked.xMalloc = failing_malloc;
  hooked.xRealloc = failing_realloc;
  assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &hooked), SQLITE_OK);
}

static aiorch_status put(fixture *f, const char *text, int64_t now_ms) {
  aio__store_document d = {.source = AIO__LIT("a"), .title = AIO__LIT("T"), .hash = {hash_of(text), 32}};
  piece pieces[] = {{"H", text}, {"H", "the numbat eats termites and nothing else "}, {"G", text}};
  result r;
  return add_full(f, ACME, &d, pieces, 3, 1, now_ms, &r);
}

static void test_add__again_after_sqlite_had_no_memory(void **state) {
  fixture *f = *state;
  long failed = 1, points = 0;
  for (long at = 1; failed > 0; at++) {
    aio__found_chunk *found;
    aio__arena_free(&f->arena);
    assert_int_equal(put(f, "one text ", at * 10), AIORCH_OK);
    calls = 0;
    fail_at = at;
    aiorch_status status = put(f, "another of words ", at * 10 + 1);
    failed = calls >= at;
    fail_at = 0;
    assert_true(status == AIORCH_OK || status == AIORCH_E_NOMEM);
    points += failed;
    status = put(f, "another of words ", at * 10 + 2);
    if (status != AIORCH_OK) fail_msg("%ld: %s", at, f->call.op.error.message);
    assert_int_equal(search(f, ACME, "another", &found), 2);
    assert_int_equal(search(f, ACME, "one", &found), 0);
  }
  assert_true(points > 100);
  assert_int_equal(query_number(f, "knowledge.db", "SELECT count(*) FROM chunks"), 3);
  close_store(f);
  assert_int_equal(open_store(f), AIORCH_OK);
  execute(f, "knowledge.db", "INSERT INTO chunk_words (chunk_words) VALUES ('integrity-check')");
}

static void test_remove__again_after_sqlite_had_no_memory(void **state) {
  fixture *f = *state;
  long failed = 1;
  for (long at = 1; failed > 0; at++) {
    aio__str *removed;
    size_t n;
    aio__arena_free(&f->arena);
    assert_int_equal(put(f, "one text ", at * 10), AIORCH_OK);
    calls = 0;
    fail_at = at;
    aiorch_status status = put(f, "another of words ", at * 10 + 1);
    failed = calls >= at;
    fail_at = 0;
    assert_true(status == AIORCH_OK || status == AIORCH_E_NOMEM);
    status = CALL(f, knowledge, remove, ACME, AIO__LIT("a"), at * 10 + 2, &f->arena, &removed, &n);
    if (status != AIORCH_OK) fail_msg("%ld: %s", at, f->call.op.error.message);
    assert_int_equal(n, 3);
  }
}

/* What is damaged for good is said to be after the second attempt. */
static void test_add__damage_that_stays(void **state) {
  fixture *f = *state;
  assert_int_equal(put(f, "one text ", 1), AIORCH_OK);
  close_store(f);
  execute(f, "knowledge.db", "DELETE FROM chunk_words_data WHERE id = 10");
  assert_int_equal(open_store(f), AIORCH_OK);
  assert_int_equal(put(f, "another of words ", 2), AIORCH_E_STORE_CORRUPT);
  expect_words(f, "knowledge.db");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_add__again_after_sqlite_had_no_memory, setup, teardown_folder),
    cmocka_unit_test_setup_teardown(test_remove__again_after_sqlite_had_no_memory, setup, teardown_folder),
    cmocka_unit_test_setup_teardown(test_add__damage_that_stays, setup, teardown_folder),
  };
  (void)conformance_tests; /* the suite itself runs in test_sqlite.c */
  hook_memory();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
