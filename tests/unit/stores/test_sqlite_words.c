/* lib/stores/sqlite_words.c: stores from before runs were spread. (label: threads) */
#include "stores/conformance.c"

#include "stores/fts_runs.h"
#include "stores/sqlite_folder.c"

static void spread_text(sqlite3_context *context, int argc, sqlite3_value **argv) {
  aio__buf out;
  assert_int_equal(argc, 1);
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  aio__fts_spread(aio__str_n((const char *)sqlite3_value_text(argv[0]), (size_t)sqlite3_value_bytes(argv[0])), &out);
  sqlite3_result_text(context, aio__buf_cstr(&out), -1, SQLITE_TRANSIENT);
  aio__buf_free(&out);
}

/* Makes of a store what an earlier version would have written: each run one word, counted as one. */
static void make_old(const fixture *f) {
  static const char chunk[] = "SELECT c.no, d.title, c.heading, CAST(substr(p.text, c.start + 1, c.stop - c.start) AS TEXT)"
                              " AS text FROM chunks c JOIN documents d ON d.no = c.document"
                              " JOIN document_parts p ON p.document = d.no AND p.part = 0";
  long long before = query_number(f, "knowledge.db", "SELECT version - 1 FROM schema_version WHERE name LIKE '%words%'");
  char path[400], sql[2000];
  sqlite3 *db;
  path_in(f, "knowledge.db", path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_create_function(db, "spread", 1, SQLITE_UTF8, NULL, spread_text, NULL, NULL), SQLITE_OK);
  snprintf(sql, sizeof sql,
           "BEGIN;"
           "INSERT INTO chunk_words (chunk_words, rowid, title, heading, body)"
           " SELECT 'delete', no, spread(title), spread(heading), spread(text) FROM (%s);"
           "INSERT INTO chunk_words (rowid, title, heading, body) %s;"
           "ALTER TABLE semantic_cache DROP COLUMN rests_on; DROP TABLE cache_documents; CREATE TABLE cache_sources"
           " (tenant_id TEXT, document_id TEXT, entry INTEGER, version INTEGER);"
           "UPDATE chunks SET words = 2; UPDATE tenants SET words = 2 * chunks;"
           "DELETE FROM schema_version WHERE version > %lld; PRAGMA user_version = %lld; COMMIT;",
           chunk, chunk, before, before);
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s", message);
  sqlite3_close(db);
}

static void reopen(fixture *f) {
  close_store(f);
  assert_int_equal(open_store(f), AIORCH_OK);
}

static int64_t rows_of_words(const fixture *f) {
  return query_number(f, "knowledge.db", "SELECT count(*) FROM chunk_words_docsize");
}

static void test_migrate__runs_are_found_in_old_stores(void **state) {
  fixture *f = *state;
  add_languages(f);
  close_store(f);
  int64_t words = query_number(f, "knowledge.db", "SELECT sum(words) FROM chunks");
  int64_t of_tenant = query_number(f, "knowledge.db", "SELECT sum(words) FROM tenants");
  assert_int_equal(words, of_tenant);
  make_old(f);
  assert_int_equal(query_number(f, "knowledge.db", "SELECT count(*) FROM chunk_words WHERE chunk_words MATCH '\"自由\"'"), 0);
  assert_int_equal(open_store(f), AIORCH_OK);
  expect_found(f, "自由", "zh ja");
  expect_found(f, "严", "zh");
  expect_found(f, "人权宣言", "zh ja");
  expect_found(f, "磁盘", "mixed");
  expect_found(f, "dignity", "en");
  assert_int_equal(rows_of_words(f), 5);
  /* All but the English chunk, whose count was not touched, are what they were. */
  int64_t english = query_number(f, "knowledge.db", "SELECT sum(words) FROM chunks WHERE words = 2");
  assert_int_equal(english, 2);
  assert_int_equal(query_number(f, "knowledge.db", "SELECT sum(words) FROM chunks"),
                   query_number(f, "knowledge.db", "SELECT sum(words) FROM tenants"));
  reopen(f);
  expect_found(f, "自由", "zh ja");
}

static void test_migrate__old_documents_are_replaced_and_removed(void **state) {
  fixture *f = *state;
  aio__str *removed = NULL;
  size_t n = 0;
  add_languages(f);
  close_store(f);
  make_old(f);
  assert_int_equal(open_store(f), AIORCH_OK);
  add_text(f, ACME, "zh", "世界人权宣言", "今天天气很好。", 6, T0 + 1);
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("ja"), T0 + 2, &f->arena, &removed, &n), AIORCH_OK);
  expect_found(f, "自由", "");
  expect_found(f, "天气", "zh");
  assert_int_equal(rows_of_words(f), 4);
  execute(f, "knowledge.db", "INSERT INTO chunk_words (chunk_words) VALUES ('integrity-check')");
}

static void test_migrate__a_damaged_document_is_named(void **state) {
  fixture *f = *state;
  add_languages(f);
  close_store(f);
  make_old(f);
  execute(f, "knowledge.db", "UPDATE chunks SET stop = 100000000");
  assert_int_equal(open_store(f), AIORCH_E_STORE_CORRUPT);
  expect_words(f, "knowledge.db");
  assert_null(f->store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_migrate__runs_are_found_in_old_stores, setup, teardown_folder),
    cmocka_unit_test_setup_teardown(test_migrate__old_documents_are_replaced_and_removed, setup, teardown_folder),
    cmocka_unit_test_setup_teardown(test_migrate__a_damaged_document_is_named, setup, teardown_folder),
  };
  (void)conformance_tests; /* the suite itself runs in test_sqlite.c */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
