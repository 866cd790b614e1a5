/* Runs of scripts without spaces, and that SQLite's tokenizer makes of a spread text what ours makes of the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sqlite3.h>

#include <aiorch/error.h>

#include "stores/fts_query.h"
#include "stores/fts_runs.h"

static void test_is_run__scripts_without_spaces(void **state) {
  (void)state;
  static const uint32_t in[] = {0x3005, 0x3007, 0x3042, 0x30A2, 0x30FC, 0x3400,  0x4E00, 0x9FFF,
                                0xAC00, 0xD7A3, 0xF900, 0xFF71, 0x20000, 0x2FA1D, 0x31F0};
  static const uint32_t out[] = {'a',    0xE9,   0x416,  0x3000, 0x3001, 0x3002, 0x30FB,  0x3099,
                                 0x30A0, 0xFF01, 0xFF21, 0xFF9E, 0x0E01, 0x1F600, UINT32_MAX};
  for (size_t i = 0; i < sizeof in / sizeof *in; i++) assert_true(aio__fts_is_run(in[i]));
  for (size_t i = 0; i < sizeof out / sizeof *out; i++) assert_false(aio__fts_is_run(out[i]));
}

/* No character of a run, and none of full width, begins below the byte by which they are looked for. */
static void test_run_byte__is_low_enough(void **state) {
  (void)state;
  for (uint32_t c = 0; c < 0x110000; c++) {
    char bytes[4];
    if (aio__utf8_put(c, bytes) == 0 || (!aio__fts_is_run(c) && aio__fts_half_width(c) == c)) continue;
    assert_true((unsigned char)bytes[0] >= AIO__FTS_RUN_BYTE);
  }
}

static void test_run_next__takes_marks_of_sound_along(void **state) {
  (void)state;
  aio__str text = AIO__LIT("\u304B\u3099\uFF76\uFF9Ex");
  size_t pos = 0;
  assert_int_equal(aio__fts_run_next(text, &pos), 0x304B);
  assert_int_equal(pos, 6);
  assert_int_equal(aio__fts_run_next(text, &pos), 0xFF76);
  assert_int_equal(pos, 12);
  assert_int_equal(aio__fts_run_next(text, &pos), 0);
  assert_int_equal(pos, 12);
  pos = text.n;
  assert_int_equal(aio__fts_run_next(text, &pos), 0);
  aio__str broken = AIO__LIT("\xE6\x9D");
  pos = 0;
  assert_int_equal(aio__fts_run_next(broken, &pos), 0);
  assert_int_equal(pos, 0);
}

static void expect_spread(const char *text, const char *expected) {
  aio__buf out;
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  aio__fts_spread(aio__str_z(text), &out);
  assert_int_equal(out.failed, AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&out), expected);
  assert_int_equal(aio__fts_has_runs(aio__str_z(text)), strcmp(text, expected) != 0);
  aio__buf_free(&out);
}

static void test_spread__characters_and_pairs(void **state) {
  (void)state;
  expect_spread("", "");
  expect_spread("plain text, caf\u00E9", "plain text, caf\u00E9");
  expect_spread("\u6771", " \u6771 ");
  expect_spread("\u6771\u4EAC\u90FD", " \u6771 \u6771\u4EAC \u4EAC \u4EAC\u90FD \u90FD ");
  expect_spread("iPhone\u624B\u6A5F!", "iPhone \u624B \u624B\u6A5F \u6A5F !");
  expect_spread("\u6771\u3001\u4EAC", " \u6771 \u3001 \u4EAC ");
  expect_spread("\uFF21\uFF42\uFF13-x", "Ab3-x");
  expect_spread("\xE6\x9D", "\xE6\x9D");
}

/* ---- the same words as SQLite's ---- */

static void sql(sqlite3 *db, const char *text) {
  assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
}

static void expect_same_words(sqlite3 *db, const char *text) {
  sqlite3_stmt *stmt;
  aio__fts_words words;
  aio__fts_word word;
  aio__buf spread;
  sql(db, "DELETE FROM t");
  aio__buf_init(&spread, aio__alloc_default(), 1 << 20);
  aio__fts_spread(aio__str_z(text), &spread);
  assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO t (x) VALUES (?1)", -1, &stmt, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_bind_text(stmt, 1, aio__buf_cstr(&spread), -1, SQLITE_STATIC), SQLITE_OK);
  assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
  sqlite3_finalize(stmt);
  assert_int_equal(sqlite3_prepare_v2(db, "SELECT term FROM v ORDER BY offset", -1, &stmt, NULL), SQLITE_OK);
  aio__fts_words_init(&words, aio__str_z(text));
  while (aio__fts_words_next(&words, &word)) {
    if (word.compound) continue;
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_bytes(stmt, 0), word.n);
    assert_memory_equal(sqlite3_column_text(stmt, 0), word.text, word.n);
  }
  assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
  sqlite3_finalize(stmt);
  aio__buf_free(&spread);
}

static void test_words__are_those_of_fts5_over_the_spread_text(void **state) {
  (void)state;
  sqlite3 *db;
  assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
  sql(db, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'unicode61 remove_diacritics 2')");
  sql(db, "CREATE VIRTUAL TABLE v USING fts5vocab(t, instance)");
  expect_same_words(db, "Plain words, caf\u00E9 and pg_dump.");
  expect_same_words(db, "\u4EBA\u4EBA\u751F\u800C\u81EA\u7531\uFF0C\u5728\u5C0A\u4E25\u548C\u6743\u5229\u4E0A\u4E00\u5F8B"
                        "\u5E73\u7B49\u3002");
  expect_same_words(db, "\u3059\u3079\u3066\u306E\u4EBA\u9593\u306F\u3001\u30C7\u30FC\u30BF\u30FB\u30D9\u30FC\u30B9"
                        "\u3092\u4EBA\u3005\uFF08\uFF31\uFF22\uFF11\uFF09");
  expect_same_words(db, "\uBAA8\uB4E0 \uC778\uAC04\uC740 PostgreSQL\uC744 \uC4F4\uB2E4.");
  expect_same_words(db, "SQL\u6587\u3067x\u3068y-\u6771\u4EAC-z\u3092 \u540D\u524Dfoo_\u6771 \u3007");
  sqlite3_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_is_run__scripts_without_spaces),
    cmocka_unit_test(test_run_byte__is_low_enough),
    cmocka_unit_test(test_run_next__takes_marks_of_sound_along),
    cmocka_unit_test(test_spread__characters_and_pairs),
    cmocka_unit_test(test_words__are_those_of_fts5_over_the_spread_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
