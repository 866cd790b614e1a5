/* Search in text that is written without spaces. A part of conformance.c. The first article of the Universal Declaration of
 * Human Rights, which is in the public domain, and sentences of our own. */
#include "stores/conformance.h"

static const char *const CHINESE =
  "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。";
static const char *const JAPANESE =
  "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
  "人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。";
static const char *const KOREAN =
  "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았으며"
  " 서로 형제애의 정신으로 행동하여야 한다.";
static const char *const MIXED = "PostgreSQL的VACUUM命令回收磁盘空间。バックアップはpg_dumpで取る。";

static void add_languages(fixture *f) {
  add_text(f, ACME, "zh", "世界人权宣言", CHINESE, 1, T0);
  add_text(f, ACME, "ja", "世界人権宣言", JAPANESE, 2, T0);
  add_text(f, ACME, "ko", "세계인권선언", KOREAN, 3, T0);
  add_text(f, ACME, "mixed", "", MIXED, 4, T0);
  add_text(f, ACME, "en", "Declaration", "All human beings are born free and equal in dignity and rights.", 5, T0);
}

/* Finds exactly the sources, in any order; they are one letter or more each, with a space between. */
static void expect_found(fixture *f, const char *query, const char *sources) {
  aio__found_chunk *found;
  size_t n = search(f, ACME, query, &found), wanted = 0;
  for (const char *at = sources; *at;) {
    size_t len = strcspn(at, " ");
    bool there = false;
    for (size_t i = 0; i < n; i++) there = there || aio__str_eq(found[i].source, (aio__str){at, len});
    if (!there) fail_msg("\"%s\" does not find %.*s", query, (int)len, at);
    wanted++;
    at += len + strspn(at + len, " ");
  }
  if (n != wanted) fail_msg("\"%s\" finds %zu, not %s", query, n, sources);
}

static void test_search__parts_of_what_has_no_spaces(void **state) {
  fixture *f = *state;
  add_languages(f);
  expect_found(f, "自由", "zh ja");
  expect_found(f, "平等", "zh ja");
  expect_found(f, "尊严", "zh");
  expect_found(f, "尊厳", "ja");
  expect_found(f, "同胞の精神", "ja zh"); /* 精神 is in both */
  expect_found(f, "生まれながら", "ja");
  expect_found(f, "자유", "ko");
  expect_found(f, "양심", "ko");
  expect_found(f, "人权宣言", "zh ja"); /* 宣言 is in both titles */
  expect_found(f, "磁盘", "mixed");
  expect_found(f, "由自", "");
  expect_found(f, "等他", ""); /* a full stop lies between */
  expect_found(f, "dignity", "en");
}

static void test_search__longer_parts_rank_higher(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  add_languages(f);
  assert_int_equal(search(f, ACME, "同胞の精神", &found), 2);
  expect_str(found[0].source, "ja");
  assert_int_equal(search(f, ACME, "人权宣言", &found), 2);
  expect_str(found[0].source, "zh");
}

static void test_search__one_character(void **state) {
  fixture *f = *state;
  add_languages(f);
  expect_found(f, "严", "zh");  /* the last of a word */
  expect_found(f, "尊", "zh ja");
  expect_found(f, "て", "ja");
  expect_found(f, "그", "ko");
  expect_found(f, "盘", "mixed");
  expect_found(f, "犬", "");
}

static void test_search__mixed_scripts(void **state) {
  fixture *f = *state;
  add_languages(f);
  expect_found(f, "VACUUM", "mixed");
  expect_found(f, "vacuum命令", "mixed");
  expect_found(f, "pg_dump", "mixed");
  expect_found(f, "ＶＡＣＵＵＭ", "mixed"); /* full width */
  expect_found(f, "バックアップ", "mixed");
  expect_found(f, "命令はどこ?", "mixed");
  expect_found(f, "equal 平等", "en zh ja");
}

static void test_search__runs_are_replaced_and_removed(void **state) {
  fixture *f = *state;
  aio__str *removed = NULL;
  size_t n = 0;
  add_languages(f);
  add_text(f, ACME, "zh", "世界人权宣言", "今天天气很好。", 6, T0 + 1);
  expect_found(f, "尊严", "");
  expect_found(f, "天气", "zh");
  expect_found(f, "气", "zh");
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("zh"), T0 + 2, &f->arena, &removed, &n), AIORCH_OK);
  expect_found(f, "天气", "");
  expect_found(f, "气", "");
  expect_found(f, "宣言", "ja");
}
