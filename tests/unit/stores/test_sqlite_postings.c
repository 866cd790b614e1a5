/* lib/stores/sqlite_postings.c: what is kept between searches is never older than what is stored. (label: threads) */
#include "stores/conformance.c"

#include "stores/sqlite_folder.c"

static void test_find__sees_what_was_added_replaced_and_removed(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  aio__str *removed;
  size_t removed_count;
  assert_int_equal(search(f, ACME, "numbat", &found), 0);
  add_text(f, ACME, "a", "T", "a numbat", 1, T0);
  assert_int_equal(search(f, ACME, "numbat", &found), 1);
  add_text(f, ACME, "b", "T", "another numbat", 2, T0);
  assert_int_equal(search(f, ACME, "numbat", &found), 2);
  add_text(f, ACME, "a", "T", "a bilby", 3, T0 + 1);
  assert_int_equal(search(f, ACME, "numbat", &found), 1);
  expect_str(found[0].source, "b");
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("b"), T0 + 2, &f->arena, &removed, &removed_count),
                   AIORCH_OK);
  assert_int_equal(search(f, ACME, "numbat", &found), 0);
  assert_int_equal(search(f, ACME, "bilby", &found), 1);
}

static void test_find__a_tenant_sees_its_own_lists(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  add_text(f, ACME, "a", "T", "a numbat", 1, T0);
  assert_int_equal(search(f, ACME, "numbat", &found), 1);
  assert_int_equal(search(f, AIO__LIT("other"), "numbat", &found), 0);
  add_text(f, AIO__LIT("other"), "b", "T", "their numbat", 2, T0);
  assert_int_equal(search(f, AIO__LIT("other"), "numbat", &found), 1);
  expect_str(found[0].source, "b");
  assert_int_equal(search(f, ACME, "numbat", &found), 1);
  expect_str(found[0].source, "a");
}

static void test_find__another_handle_changes_it(void **state) {
  fixture *f = *state;
  fixture other = *f;
  aio__found_chunk *found;
  aio__arena_init(&other.arena, f->env.al, 4096);
  assert_int_equal(open_store(&other), AIORCH_OK);
  add_text(f, ACME, "a", "T", "a numbat", 1, T0);
  assert_int_equal(search(f, ACME, "numbat", &found), 1);
  add_text(&other, ACME, "b", "T", "a numbat more", 2, T0);
  assert_int_equal(search(f, ACME, "numbat", &found), 2);
  other.store->close(other.store);
  aio__arena_free(&other.arena);
}

/* A chunk that is the same in the next version keeps its id, but not its place, nor its document's version. */
static void test_fetch__follows_a_chunk_to_its_next_version(void **state) {
  fixture *f = *state;
  piece before[] = {{"", "first. "}, {"", "the numbat. "}}, after[] = {{"", "something longer before. "}, {"", "the numbat. "}};
  aio__store_document d = {.source = AIO__LIT("a"), .title = AIO__LIT("T"), .hash = {hash_of("1"), 32}};
  char id[AIO__UUID_LEN + 1];
  aio__found_chunk got[2];
  result r;
  assert_int_equal(add_full(f, ACME, &d, before, 2, 1, T0, &r), AIORCH_OK);
  aio__str ids[] = {aio__str_z(id_of(id, "chnk", 101)), AIO__LIT("no such id, and one that is longer than any id is")};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(CALL(f, knowledge, fetch, ACME, ids, 2, NULL, 0, &f->arena, got), AIORCH_OK);
    expect_str(got[0].text, "the numbat. ");
    assert_int_equal(got[0].document_version, 1);
    assert_int_equal(got[0].start, 7);
    assert_int_equal(got[1].chunk_id[0], '\0');
  }
  d.hash = (aio__str){hash_of("2"), 32};
  assert_int_equal(add_full(f, ACME, &d, after, 2, 2, T0 + 1, &r), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, fetch, ACME, ids, 2, NULL, 0, &f->arena, got), AIORCH_OK);
  expect_str(got[0].text, "the numbat. ");
  assert_int_equal(got[0].document_version, 2);
  assert_int_equal(got[0].start, 25);
  assert_int_equal(CALL(f, knowledge, fetch, AIO__LIT("other"), ids, 1, NULL, 0, &f->arena, got), AIORCH_OK);
  assert_int_equal(got[0].chunk_id[0], '\0');
}

/* More words than are kept: what was read first is read again and is the same. */
static void test_find__lists_that_had_to_go_come_back(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  static char text[60000];
  size_t n = 0;
  for (int i = 0; i < 5000; i++) n += (size_t)snprintf(text + n, sizeof text - n, "w%dx ", i);
  add_text(f, ACME, "a", "T", text, 1, T0);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 5000; i += 20) {
      char query[400];
      size_t at = 0;
      for (int k = 0; k < 20; k++) at += (size_t)snprintf(query + at, sizeof query - at, "w%dx z%dy ", i + k, i + k);
      aio__arena_free(&f->arena);
      assert_int_equal(search(f, ACME, query, &found), 1);
    }
  }
}

static void test_words__as_many_as_the_chunk_has(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  char text[2000] = "";
  for (int i = 0; i < 300; i++) strcat(text, i % 150 == 0 ? "numbat " : "word ");
  add_text(f, ACME, "a", "Two words", text, 1, T0);
  assert_int_equal(search(f, ACME, "numbat", &found), 1);
  assert_non_null(found[0].often);
  assert_int_equal(found[0].often[0], 2);
  assert_int_equal(found[0].words, 302);
  assert_int_equal(query_number(f, "knowledge.db", "SELECT words FROM chunks"), 302);
  assert_int_equal(search(f, ACME, "numbat title_words", &found), 1);
  assert_null(found[0].often); /* a compound is looked for in the text */
}

static void test_words__a_length_that_is_gone_is_damage(void **state) {
  fixture *f = *state;
  aio__search_args args = {.query = AIO__LIT("numbat"), .limit = 10};
  aio__found_chunk *found;
  size_t n;
  add_text(f, ACME, "a", "T", "a numbat", 1, T0);
  close_store(f);
  execute(f, "knowledge.db", "DELETE FROM chunk_words_docsize");
  assert_int_equal(open_store(f), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, search, ACME, &args, &f->arena, &found, &n), AIORCH_E_STORE_CORRUPT);
  expect_words(f, "knowledge.db");
}

static void test_search__lean_leaves_the_text_out(void **state) {
  fixture *f = *state;
  aio__search_args args = {.query = AIO__LIT("numbat"), .limit = 10, .lean = true};
  aio__found_chunk *found;
  size_t n;
  add_text(f, ACME, "a", "T", "a numbat", 1, T0);
  assert_int_equal(CALL(f, knowledge, search, ACME, &args, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  assert_null(found[0].text.p);
  assert_non_null(found[0].often);
  args.query = AIO__LIT("numbat a_b");
  assert_int_equal(CALL(f, knowledge, search, ACME, &args, &f->arena, &found, &n), AIORCH_OK);
  expect_str(found[0].text, "a numbat");
}

static void test_search__out_of_memory_at_each_place(void **state) {
  fixture *f = *state;
  aio__search_args args = {.query = AIO__LIT("numbat bilby wor"), .limit = 10};
  add_text(f, ACME, "a", "T", "a numbat and a bilby of words", 1, T0);
  close_store(f);
  long failed = 0;
  do {
    aio__found_chunk *found;
    size_t n = 0;
    assert_int_equal(open_store(f), AIORCH_OK);
    aio__test_alloc_next(&f->memory);
    aiorch_status status = CALL(f, knowledge, search, ACME, &args, &f->arena, &found, &n);
    failed = f->memory.failed;
    assert_int_equal(status, failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    long at = f->memory.fail_at;
    f->memory.fail_at = 0;
    assert_int_equal(search(f, ACME, "numbat bilby wor", &found), 1);
    close_store(f);
    aio__arena_free(&f->arena);
    f->memory.fail_at = at;
  } while (failed > 0);
  f->memory.fail_at = 0;
  assert_int_equal(open_store(f), AIORCH_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown_folder)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(test_find__sees_what_was_added_replaced_and_removed),
    TEST(test_find__a_tenant_sees_its_own_lists),
    TEST(test_find__another_handle_changes_it),
    TEST(test_fetch__follows_a_chunk_to_its_next_version),
    TEST(test_find__lists_that_had_to_go_come_back),
    TEST(test_words__as_many_as_the_chunk_has),
    TEST(test_words__a_length_that_is_gone_is_damage),
    TEST(test_search__lean_leaves_the_text_out),
    TEST(test_search__out_of_memory_at_each_place),
  };
  (void)conformance_tests; /* the suite itself runs in test_sqlite.c */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
