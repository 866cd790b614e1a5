/* lib/pipeline/retrieval_query.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/retrieval.h"
#include "support/test_alloc.h"

static void check(const char *const *texts, size_t count, const char *want) {
  aio__arena arena;
  aio__str turns[8], out;
  for (size_t i = 0; i < count; i++) turns[i] = aio__str_z(texts[i]);
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_int_equal(aio__retrieval_query(&arena, turns, count, &out), AIORCH_OK);
  if (!aio__str_eqz(out, want)) fail_msg("\"%.*s\", not \"%s\"", (int)out.n, out.p, want);
  aio__arena_free(&arena);
}

#define CHECK(want, ...)                                                                                               \
  do {                                                                                                                 \
    const char *const turns[] = {__VA_ARGS__};                                                                         \
    check(turns, sizeof turns / sizeof turns[0], want);                                                                \
  } while (0)

static const char BACKUP[] = "How do I back up a database with pg_dump?";

static void test_query__one_turn_is_itself(void **state) {
  (void)state;
  CHECK("And then?", "And then?");
  check(NULL, 0, "");
}

static void test_query__what_leans_gets_the_turn_before(void **state) {
  (void)state;
  CHECK("How do I back up a database with pg_dump?\nHow do I restore it?", BACKUP, "How do I restore it?");
  CHECK("How do I back up a database with pg_dump?\nWhat about a single table of a schema in another database cluster?",
        BACKUP, "What about a single table of a schema in another database cluster?");
  CHECK("How do I back up a database with pg_dump?\nAND for one table?", BACKUP, "AND for one table?");
  CHECK("How do I back up a database with pg_dump?\nwhy?", BACKUP, "why?");
  CHECK("How do I back up a database with pg_dump?\nDoes that compress large tables?", BACKUP,
        "Does that compress large tables?");
}

static void test_query__what_stands_on_its_own_stays(void **state) {
  (void)state;
  CHECK("Which index type suits full text search columns?", BACKUP, "Which index type suits full text search columns?");
  CHECK("Explain how partial indexes speed up queries that filter unbilled customer orders by that flag column value",
        BACKUP,
        "Explain how partial indexes speed up queries that filter unbilled customer orders by that flag column value");
  CHECK("\xe5\xa6\x82\xe4\xbd\x95\xe5\xa4\x87\xe4\xbb\xbd\xef\xbc\x9f", BACKUP,
        "\xe5\xa6\x82\xe4\xbd\x95\xe5\xa4\x87\xe4\xbb\xbd\xef\xbc\x9f");
}

static void test_query__goes_back_three_turns_at_most(void **state) {
  (void)state;
  CHECK("How do I back up a database with pg_dump?\nIs it fast?\nAnd then?", BACKUP, "Is it fast?", "And then?");
  CHECK("1 it?\n2 it?\n3 it?\nAnd?", BACKUP, "1 it?", "2 it?", "3 it?", "And?");
}

static void test_query__long_turns_are_cut_between_characters(void **state) {
  (void)state;
  aio__arena arena;
  char before[3001];
  for (size_t i = 0; i < 3000; i += 3) memcpy(before + i, "\xe4\xbd\xa0", 3);
  aio__str turns[2] = {aio__str_n(before, 3000), AIO__LIT("and it?")}, out;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_int_equal(aio__retrieval_query(&arena, turns, 2, &out), AIORCH_OK);
  assert_true(out.n < 1100);
  assert_int_equal(aio__utf8_check(out, NULL), out.n);
  aio__arena_free(&arena);
}

static void test_query__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__str turns[2] = {aio__str_z(BACKUP), AIO__LIT("and it?")}, out;
  do {
    aio__arena arena;
    aio__test_alloc_next(&t);
    aio__arena_init(&arena, &t.al, 1024);
    aiorch_status st = aio__retrieval_query(&arena, turns, 2, &out);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__arena_free(&arena);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_query__one_turn_is_itself),
    cmocka_unit_test(test_query__what_leans_gets_the_turn_before),
    cmocka_unit_test(test_query__what_stands_on_its_own_stays),
    cmocka_unit_test(test_query__goes_back_three_turns_at_most),
    cmocka_unit_test(test_query__long_turns_are_cut_between_characters),
    cmocka_unit_test(test_query__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
