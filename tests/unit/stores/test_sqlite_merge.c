/* lib/stores/sqlite_merge.c: full text becomes one piece where it is searched more than it is changed. (label: threads) */
#include "stores/conformance.c"

#include "stores/sqlite_folder.c"
#include "stores/sqlite_private.h"

enum { DOCUMENTS = 40, SEARCHES_OFTEN = 250 };

static int64_t segments(const fixture *f) {
  return query_number(f, "knowledge.db", "SELECT count(DISTINCT segid) FROM chunk_words_idx");
}

static void add_documents(fixture *f, int first, int count) {
  for (int i = first; i < first + count; i++) {
    char source[16], text[64];
    snprintf(source, sizeof source, "d%d", i);
    snprintf(text, sizeof text, "a numbat and word%dx of its own", i);
    add_text(f, ACME, source, "T", text, i + 1, T0 + i);
  }
}

/* Each word is a new one: FTS5 is asked for it. */
static void search_often(fixture *f, int times) {
  static int number;
  aio__found_chunk *found;
  for (int i = 0; i < times; i++) {
    char word[24];
    snprintf(word, sizeof word, "strange%dx", number++);
    assert_int_equal(search(f, ACME, word, &found), 0);
  }
}

static aio__sq_store *store_of(const fixture *f) { return (aio__sq_store *)f->store; }

static int merge_all(fixture *f) {
  int steps = 0;
  for (; aio__sq_merge_is_due(store_of(f)); steps++) {
    assert_true(steps < 100);
    aio__sq_merge_step(store_of(f));
  }
  return steps;
}

static void expect_each_found(fixture *f, int count) {
  aio__found_chunk *found;
  for (int i = 0; i < count; i++) {
    char word[24], source[24];
    snprintf(word, sizeof word, "word%dx", i);
    snprintf(source, sizeof source, "d%d", i);
    assert_int_equal(search(f, ACME, word, &found), 1);
    assert_string_equal(found[0].source.p, source);
  }
}

static void test_merge__after_many_searches(void **state) {
  fixture *f = *state;
  add_documents(f, 0, DOCUMENTS);
  int64_t before = segments(f);
  assert_true(before > 2);
  search_often(f, 100);
  assert_false(aio__sq_merge_is_due(store_of(f)));
  assert_int_equal(merge_all(f), 0);
  assert_int_equal(segments(f), before);
  search_often(f, SEARCHES_OFTEN - 100);
  assert_true(aio__sq_merge_is_due(store_of(f)));
  assert_true(merge_all(f) >= 1);
  assert_int_equal(segments(f), 1);
  expect_each_found(f, DOCUMENTS);
  execute(f, "knowledge.db", "INSERT INTO chunk_words (chunk_words) VALUES ('integrity-check')");
}

/* Who changes documents all the time merges nothing, and what is added in the midst of it is found. */
static void test_merge__begins_anew_when_documents_change(void **state) {
  fixture *f = *state;
  add_documents(f, 0, DOCUMENTS);
  search_often(f, SEARCHES_OFTEN);
  assert_true(aio__sq_merge_is_due(store_of(f)));
  aio__sq_merge_step(store_of(f));
  add_documents(f, DOCUMENTS, 3);
  assert_false(aio__sq_merge_is_due(store_of(f)));
  expect_each_found(f, DOCUMENTS + 3);
  search_often(f, SEARCHES_OFTEN);
  assert_true(merge_all(f) >= 1);
  assert_int_equal(segments(f), 1);
  expect_each_found(f, DOCUMENTS + 3);
}

/* A large store waits for as many searches as it has chunks. */
static void test_merge__the_larger_the_later(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 1000; i++) aio__sq_merge_searched(store_of(f), 1000);
  assert_false(aio__sq_merge_is_due(store_of(f)));
  for (int i = 0; i < 2; i++) aio__sq_merge_searched(store_of(f), 1000);
  assert_true(aio__sq_merge_is_due(store_of(f)));
}

/* Another process writes: it is tried again, and what fails waits for as many searches. */
static void test_merge__when_it_cannot(void **state) {
  fixture *f = *state;
  char path[400];
  sqlite3 *db;
  add_documents(f, 0, DOCUMENTS);
  search_often(f, SEARCHES_OFTEN);
  path_in(f, "knowledge.db", path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  aio__sq_merge_step(store_of(f));
  assert_true(aio__sq_merge_is_due(store_of(f)));
  assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  assert_true(merge_all(f) >= 1);
  assert_int_equal(segments(f), 1);
}

/* Whoever drives runs has the writer's thread do it; closing the store waits for that. */
static void test_merge__by_the_way(void **state) {
  fixture *f = *state;
  add_documents(f, 0, 8);
  search_often(f, SEARCHES_OFTEN);
  f->store->flush(f->store);
  close_store(f);
  assert_int_equal(segments(f), 1);
  assert_int_equal(open_store(f), AIORCH_OK);
  expect_each_found(f, 8);
}

#define SQLITE_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown_folder)

int main(void) {
  static const struct CMUnitTest tests[] = {
    SQLITE_CASE(test_merge__after_many_searches),
    SQLITE_CASE(test_merge__begins_anew_when_documents_change),
    SQLITE_CASE(test_merge__the_larger_the_later),
    SQLITE_CASE(test_merge__when_it_cannot),
    SQLITE_CASE(test_merge__by_the_way),
  };
  (void)expect_words;
  (void)conformance_tests; /* the suite itself runs in test_sqlite.c */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
