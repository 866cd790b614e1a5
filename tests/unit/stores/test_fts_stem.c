/* The stemmer, with SQLite's own as the measure: both stores must find the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "stores/fts_query.h"

static const char *const WORDS[] = {"a",
                                    "is",
                                    "caresses",
                                    "ponies",
                                    "ties",
                                    "caress",
                                    "cats",
                                    "feed",
                                    "agreed",
                                    "plastered",
                                    "bled",
                                    "motoring",
                                    "sing",
                                    "conflated",
                                    "troubled",
                                    "sized",
                                    "hopping",
                                    "tanned",
                                    "falling",
                                    "hissing",
                                    "fizzed",
                                    "failing",
                                    "filing",
                                    "happy",
                                    "sky",
                                    "relational",
                                    "conditional",
                                    "rational",
                                    "valenci",
                                    "hesitanci",
                                    "digitizer",
                                    "conformabli",
                                    "radicalli",
                                    "differentli",
                                    "vileli",
                                    "analogousli",
                                    "vietnamization",
                                    "predication",
                                    "operator",
                                    "feudalism",
                                    "decisiveness",
                                    "hopefulness",
                                    "callousness",
                                    "formaliti",
                                    "sensitiviti",
                                    "sensibiliti",
                                    "triplicate",
                                    "formative",
                                    "formalize",
                                    "electriciti",
                                    "electrical",
                                    "hopeful",
                                    "goodness",
                                    "revival",
                                    "allowance",
                                    "inference",
                                    "airliner",
                                    "gyroscopic",
                                    "adjustable",
                                    "defensible",
                                    "irritant",
                                    "replacement",
                                    "adjustment",
                                    "dependent",
                                    "adoption",
                                    "homologou",
                                    "communism",
                                    "activate",
                                    "angulariti",
                                    "homologous",
                                    "effective",
                                    "bowdlerize",
                                    "probate",
                                    "rate",
                                    "cease",
                                    "controll",
                                    "roll",
                                    "generalizations",
                                    "oscillators",
                                    "yes",
                                    "yyyy",
                                    "dying",
                                    "eed",
                                    "ing",
                                    "ion",
                                    "sses",
                                    "ies",
                                    "s",
                                    "databases",
                                    "replication",
                                    "replicas",
                                    "vacuuming",
                                    "authentication",
                                    "logical",
                                    "tables",
                                    "indices",
                                    "backups",
                                    "restoring",
                                    "permissions",
                                    "privileges",
                                    "connections",
                                    "archaeologi",
                                    "syzygy",
                                    "queueing"};

static void test_stem__as_sqlite_does(void **state) {
  (void)state;
  sqlite3 *db;
  sqlite3_stmt *insert, *select;
  assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db,
                                "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'porter unicode61');"
                                "CREATE VIRTUAL TABLE v USING fts5vocab(t, instance)",
                                NULL, NULL, NULL),
                   SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO t (rowid, x) VALUES (?1, ?2)", -1, &insert, NULL), SQLITE_OK);
  for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
    sqlite3_bind_int64(insert, 1, (int64_t)i);
    sqlite3_bind_text(insert, 2, WORDS[i], -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_reset(insert);
  }
  assert_int_equal(sqlite3_prepare_v2(db, "SELECT doc, term FROM v", -1, &select, NULL), SQLITE_OK);
  size_t n = 0;
  for (; sqlite3_step(select) == SQLITE_ROW; n++) {
    char word[64];
    strcpy(word, WORDS[sqlite3_column_int64(select, 0)]);
    word[aio__fts_stem(word, strlen(word))] = '\0';
    assert_string_equal(word, (const char *)sqlite3_column_text(select, 1));
  }
  assert_int_equal(n, sizeof WORDS / sizeof WORDS[0]);
  sqlite3_finalize(insert);
  sqlite3_finalize(select);
  sqlite3_close(db);
}

static void test_stem__leaves_alone_what_is_no_english_word(void **state) {
  (void)state;
  char digits[] = "1990s", bytes[] = "caf\xc3\xa9s", longest[80];
  memset(longest, 's', sizeof longest);
  assert_int_equal(aio__fts_stem(digits, 5), 5);
  assert_int_equal(aio__fts_stem(bytes, 6), 6);
  assert_int_equal(aio__fts_stem(longest, sizeof longest), sizeof longest);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_stem__as_sqlite_does),
                                     cmocka_unit_test(test_stem__leaves_alone_what_is_no_english_word)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
