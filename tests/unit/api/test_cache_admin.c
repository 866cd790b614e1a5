/* Kept answers: listed, removed by tag, removed all. */
#include "support/pipeline_fixture.h"

#include "support/test_alloc.h"
#include "text/json.h"

static int open_plain(void **state) {
  if (fixture_set_up(state) != 0) return -1;
  fixture *f = *state;
  fixture_add(f, "acme", "shop.md", "The shop opens at eight and closes at six.\n");
  fixture_add(f, "acme", "van.md", "The blue van stands in the yard behind the depot.\n");
  return 0;
}

static aio__json *list(fixture *f, const char *tenant, size_t limit) {
  static const aio__json_limits limits = {
      .max_bytes = 1 << 24, .max_depth = 16, .syntax_status = AIORCH_E_INVALID, .name = "list"};
  aiorch_text *text = NULL;
  const char *p = NULL;
  size_t n = 0;
  aio__json *json = NULL;
  assert_int_equal(aiorch_cache_list(f->orch, tenant, strlen(tenant), limit, 1000, &text, NULL), AIORCH_OK);
  assert_int_equal(aiorch_text_get(text, &p, &n), AIORCH_OK);
  assert_int_equal(aio__json_parse(aio__alloc_default(), aio__str_n(p, n), &limits, &json, NULL), AIORCH_OK);
  aiorch_text_free(text);
  return json;
}

static size_t kept(fixture *f, const char *tenant) {
  aio__json *json = list(f, tenant, 100);
  size_t n = aio__json_size(aio__json_root(json));
  aio__json_free(json);
  return n;
}

static void ask(fixture *f, const char *tenant, const char *question, char entry[AIO__UUID_LEN + 1]) {
  aiorch_run *run = fixture_ask(f, tenant, "u1", question);
  const char *id = NULL;
  assert_int_equal(aiorch_run_execute(run), AIORCH_OK);
  assert_int_equal(aiorch_run_cache_entry(run, &id, NULL), AIORCH_OK);
  assert_int_equal(strlen(id), AIO__UUID_LEN);
  if (entry) memcpy(entry, id, AIO__UUID_LEN + 1);
  aiorch_run_free(run);
}

static uint64_t invalidate(fixture *f, const char *tenant, const char *tag) {
  uint64_t removed = 99;
  assert_int_equal(aiorch_cache_invalidate(f->orch, tenant, strlen(tenant), tag, strlen(tag), 1000, &removed, NULL),
                   AIORCH_OK);
  return removed;
}

static aio__str member(const aio__json_value *entry, const char *key) {
  aio__str text = AIO__LIT("(none)");
  (void)aio__json_str(aio__json_get(entry, key), &text);
  return text;
}

static void test_cache_list__newest_first_with_all_members(void **state) {
  fixture *f = *state;
  char first[AIO__UUID_LEN + 1], second[AIO__UUID_LEN + 1];
  ask(f, "acme", "When does the shop open?", first);
  virtual_clock_advance_ms(&f->clock, 1000);
  ask(f, "acme", "Where does the blue van stand?", second);
  ask(f, "acme", "Where does the blue van stand?", NULL); /* a hit */
  aio__json *json = list(f, "acme", 10);
  const aio__json_value *entry = aio__json_first(aio__json_root(json));
  int64_t created = 0, expires = 0, hits = 0;
  assert_int_equal(aio__json_size(aio__json_root(json)), 2);
  assert_int_equal(aio__json_size(entry), 9);
  assert_true(aio__str_eqz(member(entry, "id"), second));
  assert_true(aio__str_eqz(member(entry, "query"), "Where does the blue van stand?"));
  assert_true(aio__str_eqz(member(entry, "provider"), "extractive"));
  assert_true(aio__str_eqz(member(entry, "model"), "extractive"));
  assert_true(aio__json_i64(aio__json_get(entry, "created_ms"), &created));
  assert_true(aio__json_i64(aio__json_get(entry, "expires_ms"), &expires));
  assert_true(aio__json_i64(aio__json_get(entry, "hits"), &hits));
  assert_int_equal(created, f->clock.wall_ms);
  assert_int_equal(expires, created + 86400000);
  assert_int_equal(hits, 1);
  aio__str tag;
  assert_true(aio__json_size(aio__json_get(entry, "tags")) >= 1);
  assert_true(aio__json_str(aio__json_first(aio__json_get(entry, "tags")), &tag));
  assert_int_equal(tag.n, AIO__UUID_LEN);
  assert_true(aio__str_eqz(member(aio__json_next(entry), "id"), first));
  aio__json_free(json);
  json = list(f, "acme", 1);
  assert_int_equal(aio__json_size(aio__json_root(json)), 1);
  aio__json_free(json);
}

static void test_cache_list__nothing_of_another_tenant(void **state) {
  fixture *f = *state;
  ask(f, "acme", "When does the shop open?", NULL);
  assert_int_equal(kept(f, "other"), 0);
  assert_int_equal(kept(f, "acme"), 1);
}

static void test_cache_invalidate__by_source_document_and_entry(void **state) {
  fixture *f = *state;
  char entry[AIO__UUID_LEN + 1];
  ask(f, "acme", "When does the shop open?", NULL);
  assert_int_equal(invalidate(f, "acme", "shop.md"), 1);
  assert_int_equal(kept(f, "acme"), 0);
  ask(f, "acme", "When does the shop open?", entry);
  assert_int_equal(invalidate(f, "acme", entry), 1);
  ask(f, "acme", "When does the shop open?", NULL);
  aio__json *json = list(f, "acme", 10);
  aio__str tag;
  char document[AIO__UUID_LEN + 1] = "";
  const aio__json_value *tags = aio__json_get(aio__json_first(aio__json_root(json)), "tags");
  assert_true(aio__json_str(aio__json_first(tags), &tag));
  assert_int_equal(tag.n, AIO__UUID_LEN);
  memcpy(document, tag.p, AIO__UUID_LEN);
  aio__json_free(json);
  assert_int_equal(invalidate(f, "acme", document), 1);
  assert_int_equal(kept(f, "acme"), 0);
}

static void test_cache_invalidate__what_is_not_there(void **state) {
  fixture *f = *state;
  ask(f, "acme", "When does the shop open?", NULL);
  assert_int_equal(invalidate(f, "acme", "nothing.md"), 0);
  assert_int_equal(invalidate(f, "other", "shop.md"), 0);
  assert_int_equal(kept(f, "acme"), 1);
}

static void test_cache_purge__all_of_one_tenant(void **state) {
  fixture *f = *state;
  uint64_t removed = 99;
  fixture_add(f, "other", "shop.md", "The other shop opens at nine.\n");
  ask(f, "acme", "When does the shop open?", NULL);
  ask(f, "acme", "Where does the blue van stand?", NULL);
  ask(f, "other", "When does the shop open?", NULL);
  assert_int_equal(aiorch_cache_purge(f->orch, "acme", 4, 1000, &removed, NULL), AIORCH_OK);
  assert_int_equal(removed, 2);
  assert_int_equal(kept(f, "acme"), 0);
  assert_int_equal(kept(f, "other"), 1);
  assert_int_equal(aiorch_cache_purge(f->orch, "other", 5, 1000, NULL, NULL), AIORCH_OK);
  assert_int_equal(kept(f, "other"), 0);
}

static void test_cache_admin__arguments(void **state) {
  fixture *f = *state;
  aiorch_text *text = NULL;
  uint64_t removed = 7;
  aiorch_error error;
  aio__error_init(&error);
  assert_int_equal(aiorch_cache_list(f->orch, "acme", 4, 0, 0, &text, &error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_cache_list(f->orch, "acme", 4, 10001, 0, &text, &error), AIORCH_E_INVALID);
  assert_non_null(strstr(error.message, "10000"));
  assert_int_equal(aiorch_cache_list(f->orch, "acme", 4, 1, 0, NULL, &error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_cache_list(f->orch, "", 0, 1, 0, &text, &error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_cache_list(NULL, "acme", 4, 1, 0, &text, &error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_cache_purge(f->orch, NULL, 4, 0, &removed, &error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_cache_invalidate(f->orch, "acme", 4, "", 0, 0, &removed, &error), AIORCH_E_INVALID);
  assert_int_equal(aiorch_cache_invalidate(f->orch, "acme", 4, NULL, 0, 0, &removed, &error), AIORCH_E_INVALID);
  assert_non_null(strstr(error.message, "tag"));
  assert_int_equal(aiorch_close(f->orch, 1000), AIORCH_OK);
  assert_int_equal(aiorch_cache_purge(f->orch, "acme", 4, 0, &removed, &error), AIORCH_E_CLOSED);
  assert_int_equal(removed, 7);
  assert_null(text);
}

static aiorch_status all_calls(aiorch *orch) {
  aiorch_text *text = NULL;
  aiorch_status st = aiorch_cache_list(orch, "acme", 4, 10, 1000, &text, NULL);
  aiorch_text_free(text);
  if (st == AIORCH_OK) st = aiorch_cache_invalidate(orch, "acme", 4, "nothing", 7, 1000, NULL, NULL);
  if (st == AIORCH_OK) st = aiorch_cache_purge(orch, "acme", 4, 1000, NULL, NULL);
  return st;
}

static void test_cache_admin__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aiorch *orch = fixture_plain(&t, NULL);
  do {
    aio__test_alloc_next(&t);
    aiorch_status st = all_calls(orch);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
  } while (t.failed > 0);
  assert_true(t.fail_at > 3);
  t.fail_at = 0;
  assert_int_equal(aiorch_close(orch, 1000), AIORCH_OK);
  assert_int_equal(aiorch_free(orch), AIORCH_OK);
  assert_int_equal(t.live, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_plain, fixture_tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_cache_list__newest_first_with_all_members),
      TEST(test_cache_list__nothing_of_another_tenant),
      TEST(test_cache_invalidate__by_source_document_and_entry),
      TEST(test_cache_invalidate__what_is_not_there),
      TEST(test_cache_purge__all_of_one_tenant),
      TEST(test_cache_admin__arguments),
      cmocka_unit_test(test_cache_admin__out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
