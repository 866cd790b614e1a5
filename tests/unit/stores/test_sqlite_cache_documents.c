/* lib/stores/sqlite_cache_documents.c: what kept answers rest on, over many parts, in stores of earlier versions, and
 * damaged. (label: threads) */
#include "stores/conformance.c"

#include "stores/sqlite_folder.c"

static const aio__str GLOBEX = {"globex", 6};

enum { ANSWERS = 600 /* in three parts */ };

static int64_t rows_by_document(const fixture *f) {
  return query_number(f, "knowledge.db", "SELECT count(*) FROM cache_documents");
}

/* Answers that rest on all of `sources`; the first has the number `first`. */
static void keep_many(fixture *f, aio__str tenant, int first, int count, const aio__cache_source *sources, size_t n) {
  char key[16];
  for (int i = first; i < first + count; i++) {
    snprintf(key, sizeof key, "q%d", i);
    aio__cache_entry e = entry_of(i, key, "a", sources);
    e.rests_on_count = n;
    assert_true(keep(f, tenant, &e, &ROOMY, T0));
  }
}

static void test_rests_on__each_part_is_looked_into(void **state) {
  fixture *f = *state;
  aio__store_document a = add_text(f, ACME, "a", "T", "one text", 1, T0 - 9);
  aio__store_document b = add_text(f, ACME, "b", "T", "another text", 2, T0 - 9);
  aio__store_document c = add_text(f, GLOBEX, "a", "T", "one text", 3, T0 - 9);
  aio__cache_source both[] = {source_of(&a), source_of(&b)}, only_b = both[1], theirs = source_of(&c);
  aio__cache_entry got;
  keep_many(f, ACME, 0, ANSWERS, both, 2);
  keep_many(f, ACME, ANSWERS, 2, &only_b, 1);
  keep_many(f, GLOBEX, 2 * ANSWERS, 2, &theirs, 1);
  assert_int_equal(rows_by_document(f), 2 * ANSWERS + 4);
  add_text(f, ACME, "a", "T", "one text that has changed", 3, T0 - 4);
  assert_int_equal(rows_by_document(f), 4);
  assert_false(ask(f, ACME, "q0", T0, &got));
  assert_false(ask(f, ACME, "q599", T0, &got));
  assert_true(ask(f, ACME, "q600", T0, &got));
  assert_true(ask(f, GLOBEX, "q1200", T0, &got));
  uint64_t removed = 0;
  assert_int_equal(CALL(f, cache, invalidate, ACME, AIO__LIT("b"), &removed), AIORCH_OK);
  assert_int_equal(removed, 2);
  assert_int_equal(CALL(f, cache, invalidate, ACME, AIO__LIT(""), &removed), AIORCH_OK);
  assert_int_equal(rows_by_document(f), 2);
  assert_int_equal(CALL(f, cache, invalidate, GLOBEX, aio__str_z(c.id), &removed), AIORCH_OK);
  assert_int_equal(removed, 2);
  assert_int_equal(rows_by_document(f), 0);
}

/* What is remembered of a document holds no longer than its state, whoever changes it. */
static void test_rests_on__documents_change_in_between(void **state) {
  fixture *f = *state;
  aio__store *ours = f->store, *theirs;
  aio__store_document a = add_text(f, ACME, "a", "T", "one text", 1, T0 - 9);
  add_text(f, ACME, "b", "T", "another text", 2, T0 - 9);
  aio__cache_source old = source_of(&a), new = old;
  new.version++;
  aio__cache_entry e = entry_of(9, "q9", "a", &old);
  keep_many(f, ACME, 1, 2, &old, 1);
  assert_int_equal(open_store(f), AIORCH_OK); /* as another process would */
  theirs = f->store;
  add_text(f, ACME, "a", "T", "one text that has changed", 3, T0 - 4);
  f->store = ours;
  assert_false(keep(f, ACME, &e, &ROOMY, T0));
  keep_many(f, ACME, 3, 2, &new, 1);
  f->store = theirs;
  aio__str *removed;
  size_t count;
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("a"), T0, &f->arena, &removed, &count), AIORCH_OK);
  f->store = ours;
  e.rests_on = &new;
  assert_false(keep(f, ACME, &e, &ROOMY, T0));
  assert_int_equal(rows_by_document(f), 0);
  theirs->close(theirs);
}

/* What an earlier version would have written. */
static void make_old(const fixture *f) {
  execute(f, "knowledge.db",
          "BEGIN; CREATE TABLE cache_sources (tenant_id TEXT NOT NULL, document_id TEXT NOT NULL, entry INTEGER NOT NULL,"
          " version INTEGER NOT NULL, PRIMARY KEY (tenant_id, document_id, entry)) WITHOUT ROWID;"
          "CREATE INDEX cache_sources_by_entry ON cache_sources (entry);"
          "INSERT INTO cache_sources SELECT t.tenant_id, d.id, s.entry, d.version FROM cache_documents s"
          " JOIN tenants t ON t.no = s.tenant JOIN documents d ON d.no = s.document;"
          "DROP TABLE cache_documents; ALTER TABLE semantic_cache DROP COLUMN rests_on;"
          "DELETE FROM schema_version WHERE version > 3; PRAGMA user_version = 3; COMMIT;");
}

static void test_migrate__kept_answers_stay(void **state) {
  fixture *f = *state;
  aio__store_document a = add_text(f, ACME, "a", "T", "one text", 1, T0 - 9);
  aio__store_document b = add_text(f, ACME, "b", "T", "another text", 2, T0 - 9);
  aio__cache_source both[] = {source_of(&a), source_of(&b)};
  aio__cache_entry got, alone = entry_of(7, "alone", "a", NULL);
  keep_many(f, ACME, 1, 3, both, 2);
  assert_true(keep(f, ACME, &alone, &ROOMY, T0));
  close_store(f);
  make_old(f);
  assert_int_equal(open_store(f), AIORCH_OK);
  assert_true(ask(f, ACME, "q2", T0, &got));
  assert_int_equal(got.rests_on_count, 2);
  assert_int_equal(got.rests_on[0].version, 1);
  bool in_order = strcmp(got.rests_on[0].document_id, a.id) == 0;
  assert_string_equal(got.rests_on[in_order ? 0 : 1].document_id, a.id);
  assert_string_equal(got.rests_on[in_order ? 1 : 0].document_id, b.id);
  assert_true(ask(f, ACME, "alone", T0, &got));
  assert_int_equal(got.rests_on_count, 0);
  assert_int_equal(rows_by_document(f), 6);
  add_text(f, ACME, "b", "T", "another text that has changed", 3, T0 - 4);
  assert_false(ask(f, ACME, "q2", T0, &got));
  assert_true(ask(f, ACME, "alone", T0, &got));
  assert_int_equal(rows_by_document(f), 0);
}

static void test_rests_on__damaged(void **state) {
  static const char *const texts[] = {"1 1", "1 1 ", "x 1 a ", "1 y a ", "1  a ", "99999999999999999999 1 a ",
                                      "1 1 an-id-that-is-longer-than-any-that-there-may-be ", " "};
  fixture *f = *state;
  aio__store_document a = add_text(f, ACME, "a", "T", "one text", 1, T0 - 9);
  aio__cache_source s = source_of(&a);
  aio__cache_entry got;
  char sql[200];
  keep_many(f, ACME, 1, 1, &s, 1);
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    bool found = true;
    snprintf(sql, sizeof sql, "UPDATE semantic_cache SET rests_on = '%s'", texts[i]);
    execute(f, "knowledge.db", sql);
    assert_int_equal(CALL(f, cache, lookup, ACME, ((aio__str){SCOPE, 32}), ((aio__str){hash_of("q1"), 32}), T0, &f->arena,
                          &got, &found),
                     AIORCH_E_STORE_CORRUPT);
    expect_words(f, "knowledge.db");
  }
}

/* A text is had at the version that was asked for, by its own tenant, and no further than it goes. */
static void test_texts__of_the_document_as_it_was(void **state) {
  fixture *f = *state;
  aio__store_document a = add_text(f, ACME, "a", "T", "one text", 1, T0 - 9);
  aio__store_document b = add_text(f, ACME, "b", "T", "another text", 2, T0 - 9);
  static const struct {
    bool of_b, theirs;
    int64_t version;
    uint64_t start, end;
    bool found;
  } rows[] = {
    {false, false, 1, 4, 8, true}, {true, false, 1, 0, 7, true},   {false, false, 1, 8, 8, true}, {false, false, 2, 4, 8, false},
    {false, false, 0, 4, 8, false}, {false, false, 1, 4, 9, false}, {false, false, 1, 5, 4, false}, {false, true, 1, 4, 8, false},
    {false, false, 1, UINT64_MAX - 1, UINT64_MAX, false},
  };
  static const char *const whole[] = {"one text", "another text"};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    aio__cache_text texts[] = {{.version = 1, .start = 0, .end = 3},
                               {.version = rows[i].version, .start = rows[i].start, .end = rows[i].end}};
    bool found = !rows[i].found;
    memcpy(texts[0].document_id, a.id, sizeof a.id);
    memcpy(texts[1].document_id, rows[i].of_b ? b.id : a.id, sizeof a.id);
    assert_int_equal(CALL(f, cache, texts, rows[i].theirs ? GLOBEX : ACME, texts, 2, &f->arena, &found), AIORCH_OK);
    if (found != rows[i].found) fail_msg("row %zu", i);
    if (!found) continue;
    assert_true(aio__str_eqz(texts[0].text, "one"));
    assert_int_equal(texts[1].text.n, rows[i].end - rows[i].start);
    assert_memory_equal(texts[1].text.p, whole[rows[i].of_b] + rows[i].start, texts[1].text.n);
  }
  aio__cache_text gone = {.version = 1, .start = 0, .end = 3};
  memcpy(gone.document_id, a.id, sizeof a.id);
  bool found = true;
  add_text(f, ACME, "a", "T", "one text that has changed", 3, T0 - 4);
  assert_int_equal(CALL(f, cache, texts, ACME, &gone, 1, &f->arena, &found), AIORCH_OK);
  assert_false(found);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_rests_on__each_part_is_looked_into, setup, teardown_folder),
    cmocka_unit_test_setup_teardown(test_rests_on__documents_change_in_between, setup, teardown_folder),
    cmocka_unit_test_setup_teardown(test_migrate__kept_answers_stay, setup, teardown_folder),
    cmocka_unit_test_setup_teardown(test_rests_on__damaged, setup, teardown_folder),
    cmocka_unit_test_setup_teardown(test_texts__of_the_document_as_it_was, setup, teardown_folder),
  };
  (void)conformance_tests; /* the suite itself runs in test_sqlite.c */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
