/* lib/guard/rule_load.c: rule files, good and bad */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard/rule_load.h"
#include "support/test_alloc.h"

#define RULE(members) \
  "{\"rules\": [{\"id\": \"r\", \"category\": \"c\", \"language\": \"en\", \"why\": \"w\", " members "}]}"

typedef struct fixture {
  aio__arena arena;
  aio__rule_list list;
  aiorch_error error;
  aiorch_status status;
} fixture;

static void load_with(fixture *f, const aio__alloc *al, const char *text) {
  aio__rule_file file = {"test.json", aio__str_z(text)};
  aio__error_init(&f->error);
  aio__arena_init(&f->arena, al, 1024);
  f->list = (aio__rule_list){.al = al, .arena = &f->arena, .spell = true};
  f->status = aio__rule_load_file(&f->list, &file, &f->error);
}

static void load(fixture *f, const char *text) {
  load_with(f, aio__alloc_default(), text);
}

static void unload(fixture *f) {
  aio__rule_list_free(&f->list);
  aio__arena_free(&f->arena);
}

static void test_load_file__all_members(void **state) {
  (void)state;
  fixture f;
  load(&f, "{\"define\": {\"x\": \"a|b\"}, \"rules\": ["
           "{\"id\": \"r1\", \"category\": \"override\", \"language\": \"de\","
           "\"severity\": \"flag\", \"pattern\": [\"f\xC3\xBCr {{x}}\", \"y\"],"
           "\"needs\": [[\"f\xC3\xBCr\", \"abc\"], [\"def\"]],"
           "\"why\": \"because\", \"reach\": 99, \"min_entropy\": 300}]}");
  assert_int_equal(f.status, AIORCH_OK);
  assert_int_equal(f.list.n, 1);
  const aio__rule *r = &f.list.rules[0];
  assert_string_equal(r->id, "r1");
  assert_string_equal(r->category, "override");
  assert_string_equal(r->language, "de");
  assert_string_equal(r->why, "because");
  assert_int_equal(r->severity, AIO__VERDICT_FLAG);
  assert_true(aio__str_eqz(r->source, "(?:fur (?:a|b))|(?:y)"));
  assert_int_equal(r->groups, 2);
  assert_int_equal(r->reach, 99);
  assert_int_equal(r->min_entropy, 300);
  assert_int_equal(f.list.needs_n, 3);
  assert_true(aio__str_eqz(f.list.needs[0].literal, "fur"));
  assert_int_equal(f.list.needs[2].group, 1);
  unload(&f);
}

static void test_load_file__later_rule_replaces_by_id(void **state) {
  (void)state;
  fixture f;
  load(&f, RULE("\"severity\": \"flag\", \"pattern\": \"old\", \"needs\": [[\"old\"]]"));
  const char *text = RULE("\"severity\": \"block\", \"pattern\": \"new\", \"needs\": [[\"new\"]]");
  aio__rule_file more = {"more.json", aio__str_z(text)};
  assert_int_equal(aio__rule_load_file(&f.list, &more, &f.error), AIORCH_OK);
  assert_int_equal(f.list.n, 1);
  assert_int_equal(f.list.rules[0].severity, AIO__VERDICT_BLOCK);
  assert_int_equal(f.list.needs_n, 1);
  assert_true(aio__str_eqz(f.list.needs[0].literal, "new"));
  unload(&f);
}

static void test_load_file__hidden_rule_has_no_pattern(void **state) {
  (void)state;
  fixture f;
  load(&f, RULE("\"severity\": \"flag\", \"min_hidden\": 3"));
  assert_int_equal(f.status, AIORCH_OK);
  assert_null(f.list.rules[0].pattern);
  assert_int_equal(f.list.rules[0].min_hidden, 3);
  unload(&f);
}

static void test_load_file__faults_name_file_rule_and_member(void **state) {
  (void)state;
  static const struct {
    const char *text, *says;
  } cases[] = {
    {"", "test.json"},
    {"{\"rules\": [,]}", "line 1"},
    {"[]", "\"rules\""},
    {"{\"rules\": 1}", "\"rules\""},
    {"{\"rules\": [1]}", "rule 1, \"rules\""},
    {"{\"rules\": [{\"id\": 1}]}", "\"id\""},
    {"{\"rules\": [{\"id\": \"\"}]}", "\"id\""},
    {"{\"rules\": [{\"id\": \"a\"}]}", "rule \"a\", \"category\""},
    {"{\"rules\": [{\"id\": \"a\", \"idd\": 1}]}", "unknown member \"idd\""},
    {RULE("\"pattern\": \"x\""), "\"severity\""},
    {RULE("\"severity\": \"stop\", \"pattern\": \"x\""), "rule \"r\", \"severity\""},
    {RULE("\"severity\": \"block\""), "\"pattern\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"\""), "\"pattern\""},
    {RULE("\"severity\": \"block\", \"pattern\": []"), "\"pattern\""},
    {RULE("\"severity\": \"block\", \"pattern\": [1]"), "\"pattern\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"a(b\""), "rule \"r\", \"pattern\": pattern, byte"},
    {RULE("\"severity\": \"block\", \"pattern\": \"{{nix}}\""), "\"define\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"{{nix\""), "\"define\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"x\", \"min_hidden\": 1"), "\"pattern\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"x\", \"reach\": 0"), "\"reach\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"x\", \"reach\": 9000"), "\"reach\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"x\", \"min_entropy\": \"a\""), "\"min_entropy\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"x\", \"needs\": [\"abc\"]"), "\"needs\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"x\", \"needs\": [[]]"), "\"needs\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"x\", \"needs\": {}"), "\"needs\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"x\", \"needs\": [[1]]"), "\"needs\""},
    {RULE("\"severity\": \"block\", \"pattern\": \"x\", \"needs\": [[\"ab\"]]"), "3 to 64"},
    {RULE("\"severity\": \"block\", \"pattern\": \"x\", \"needs\": [[\"abc\"],[\"abc\"],[\"abc\"],[\"abc\"],"
          "[\"abc\"],[\"abc\"],[\"abc\"],[\"abc\"],[\"abc\"]]"), "8 groups"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    fixture f;
    load(&f, cases[i].text);
    if (f.status != AIORCH_E_CONFIG || strstr(f.error.message, cases[i].says) == NULL ||
        strstr(f.error.message, "test.json") == NULL) {
      fail_msg("%s: %d %s", cases[i].text, (int)f.status, f.error.message);
    }
    unload(&f);
  }
}

static void test_load_file__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__test_alloc_next(&t);
    fixture f;
    load_with(&f, &t.al, RULE("\"severity\": \"block\", \"pattern\": [\"a\", \"b\"], \"needs\": [[\"abc\", \"def\"]]"));
    unload(&f);
    assert_int_equal(t.live, 0);
    assert_int_equal(f.status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_load_file__all_members),
    cmocka_unit_test(test_load_file__later_rule_replaces_by_id),
    cmocka_unit_test(test_load_file__hidden_rule_has_no_pattern),
    cmocka_unit_test(test_load_file__faults_name_file_rule_and_member),
    cmocka_unit_test(test_load_file__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
