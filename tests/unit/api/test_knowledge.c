/* lib/api/knowledge.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/aiorch.h>

#include "support/test_alloc.h"

enum { TIMEOUT = 30000 };

static aiorch *open_memory(const aio__alloc *al) {
  aiorch_config *config = NULL;
  aiorch *orch = NULL;
  if (aiorch_config_new_with(al, &config) == AIORCH_OK &&
      aiorch_config_set_str(config, "store", "memory", 6, NULL) == AIORCH_OK) {
    (void)aiorch_open(config, &orch, NULL);
  }
  aiorch_config_free(config);
  return orch;
}

static void close_orch(aiorch *orch) {
  if (!orch) return;
  assert_int_equal(aiorch_close(orch, TIMEOUT), AIORCH_OK);
  assert_int_equal(aiorch_free(orch), AIORCH_OK);
}

static aiorch_document *make(const char *source, const char *text) {
  aiorch_document *d = NULL;
  assert_int_equal(aiorch_document_new(&d), AIORCH_OK);
  assert_int_equal(aiorch_document_set_source(d, source, strlen(source)), AIORCH_OK);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_MARKDOWN, text, strlen(text)), AIORCH_OK);
  return d;
}

static int32_t add(aiorch *orch, const char *tenant, aiorch_document *d) {
  assert_int_equal(aiorch_knowledge_add(orch, tenant, strlen(tenant), d, TIMEOUT, NULL), AIORCH_OK);
  return aiorch_document_outcome(d);
}

static void test_add__added_unchanged_updated(void **state) {
  (void)state;
  aiorch *orch = open_memory(NULL);
  aiorch_document *d = make("a.md", "# The Title\n\nSome text about birds.");
  char id[64];
  const char *text = NULL;
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_ADDED);
  assert_int_equal(aiorch_document_chunks(d), 1);
  assert_true(aiorch_document_updated_ms(d) > 0);
  assert_int_equal(aiorch_document_id(d, &text, NULL), AIORCH_OK);
  assert_int_equal(strlen(text), 36);
  snprintf(id, sizeof id, "%s", text);
  assert_int_equal(aiorch_document_title(d, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "The Title"); /* the first heading */
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_UNCHANGED);
  assert_int_equal(aiorch_document_chunks(d), 1);
  /* Each part of it alone makes it another document. */
  assert_int_equal(aiorch_document_add_anchor(d, 3, "here", 4), AIORCH_OK);
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_UPDATED);
  assert_int_equal(aiorch_document_add_metadata(d, "lang", 4, "en", 2), AIORCH_OK);
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_UPDATED);
  assert_int_equal(aiorch_document_set_title(d, "Other", 5), AIORCH_OK);
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_UPDATED);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, "# The Title\n\nSome text about birds.", 34),
                   AIORCH_OK);
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_UPDATED);
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_UNCHANGED);
  assert_int_equal(aiorch_document_id(d, &text, NULL), AIORCH_OK);
  assert_string_equal(text, id); /* the source keeps its id */
  assert_int_equal(add(orch, "other", d), AIORCH_DOCUMENT_ADDED);
  aiorch_document_free(d);
  close_orch(orch);
}

static void test_add__title_is_the_source_without_a_heading(void **state) {
  (void)state;
  aiorch *orch = open_memory(NULL);
  aiorch_document *d = make("notes/birds.txt", "No heading here.");
  const char *title = NULL;
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_ADDED);
  assert_int_equal(aiorch_document_title(d, &title, NULL), AIORCH_OK);
  assert_string_equal(title, "notes/birds.txt");
  aiorch_document_free(d);
  close_orch(orch);
}

static void check_refused(aiorch *orch, aiorch_document *d, const char *words) {
  aiorch_error *error = NULL;
  assert_int_equal(aiorch_error_new(&error), AIORCH_OK);
  assert_int_equal(aiorch_knowledge_add(orch, "t", 1, d, TIMEOUT, error), AIORCH_E_DOCUMENT);
  assert_non_null(strstr(aiorch_error_message(error), words));
  aiorch_error_free(error);
}

static void test_add__refuses_what_is_no_document(void **state) {
  (void)state;
  aiorch *orch = open_memory(NULL);
  aiorch_document *d = NULL;
  assert_int_equal(aiorch_document_new(&d), AIORCH_OK);
  check_refused(orch, d, "no source");
  assert_int_equal(aiorch_document_set_source(d, "a.bin", 5), AIORCH_OK);
  check_refused(orch, d, "empty");
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, " \n\t\n", 4), AIORCH_OK);
  check_refused(orch, d, "empty");
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN,
                                            "\x7f"
                                            "ELF\x02\x01\0\0\xff",
                                            9),
                   AIORCH_OK);
  check_refused(orch, d, "no text");
  char *large = malloc((64 << 20) + 1);
  assert_non_null(large);
  memset(large, 'a', (64 << 20) + 1);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, large, (64 << 20) + 1), AIORCH_OK);
  free(large);
  check_refused(orch, d, "document_max_bytes");
  assert_int_equal(aiorch_knowledge_add(orch, "t", 1, NULL, TIMEOUT, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_knowledge_add(orch, "", 0, d, TIMEOUT, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_knowledge_add(orch, NULL, 3, d, TIMEOUT, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_knowledge_add(NULL, "t", 1, d, TIMEOUT, NULL), AIORCH_E_INVALID);
  aiorch_document_free(d);
  close_orch(orch);
}

static void test_list__pages_in_order(void **state) {
  (void)state;
  aiorch *orch = open_memory(NULL);
  for (int i = 0; i < 7; i++) {
    char source[16];
    snprintf(source, sizeof source, "doc-%d", 6 - i);
    aiorch_document *d = make(source, "text");
    assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_ADDED);
    aiorch_document_free(d);
  }
  aiorch_document *foreign = make("doc-9", "of another tenant");
  assert_int_equal(add(orch, "other", foreign), AIORCH_DOCUMENT_ADDED);
  aiorch_document_free(foreign);
  aiorch_documents *list = NULL;
  const char *source = NULL;
  assert_int_equal(aiorch_knowledge_list(orch, "t", 1, NULL, 0, 5, TIMEOUT, &list, NULL), AIORCH_OK);
  assert_int_equal(aiorch_documents_count(list), 5);
  assert_int_equal(aiorch_document_source(aiorch_documents_get(list, 4), &source, NULL), AIORCH_OK);
  assert_string_equal(source, "doc-4");
  assert_int_equal(aiorch_document_bytes(aiorch_documents_get(list, 4)), 4);
  aiorch_documents_free(list);
  assert_int_equal(aiorch_knowledge_list(orch, "t", 1, "doc-4", 5, 5, TIMEOUT, &list, NULL), AIORCH_OK);
  assert_int_equal(aiorch_documents_count(list), 2);
  aiorch_documents_free(list);
  list = NULL;
  assert_int_equal(aiorch_knowledge_list(orch, "t", 1, NULL, 0, 0, TIMEOUT, &list, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_knowledge_list(orch, "t", 1, NULL, 0, 10001, TIMEOUT, &list, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_knowledge_list(orch, "t", 1, NULL, 0, 5, TIMEOUT, NULL, NULL), AIORCH_E_INVALID);
  assert_null(list);
  close_orch(orch);
}

static void test_show__by_source_and_id_outlives_the_orchestrator(void **state) {
  (void)state;
  aiorch *orch = open_memory(NULL);
  aiorch_document *d = make("a.md", "# T\r\n\r\ntext"), *shown = NULL, *by_id = NULL;
  const char *text = NULL;
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_ADDED);
  assert_int_equal(aiorch_knowledge_show(orch, "t", 1, "a.md", 4, TIMEOUT, &shown, NULL), AIORCH_OK);
  assert_int_equal(aiorch_document_id(d, &text, NULL), AIORCH_OK);
  assert_int_equal(aiorch_knowledge_show(orch, "t", 1, text, 36, TIMEOUT, &by_id, NULL), AIORCH_OK);
  aiorch_document *none = NULL;
  assert_int_equal(aiorch_knowledge_show(orch, "other", 5, "a.md", 4, TIMEOUT, &none, NULL), AIORCH_E_NOT_FOUND);
  assert_int_equal(aiorch_knowledge_show(orch, "t", 1, "", 0, TIMEOUT, &none, NULL), AIORCH_E_INVALID);
  assert_null(none);
  close_orch(orch);
  assert_int_equal(aiorch_document_text(shown, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "# T\n\ntext");
  assert_int_equal(aiorch_document_source(by_id, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "a.md");
  aiorch_document_free(shown);
  aiorch_document_free(by_id);
  aiorch_document_free(d);
}

static void test_remove__gone(void **state) {
  (void)state;
  aiorch *orch = open_memory(NULL);
  aiorch_document *d = make("a.md", "text"), *none = NULL;
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_ADDED);
  assert_int_equal(aiorch_knowledge_remove(orch, "other", 5, "a.md", 4, TIMEOUT, NULL), AIORCH_E_NOT_FOUND);
  assert_int_equal(aiorch_knowledge_remove(orch, "t", 1, "a.md", 4, TIMEOUT, NULL), AIORCH_OK);
  assert_int_equal(aiorch_knowledge_remove(orch, "t", 1, "a.md", 4, TIMEOUT, NULL), AIORCH_E_NOT_FOUND);
  assert_int_equal(aiorch_knowledge_show(orch, "t", 1, "a.md", 4, TIMEOUT, &none, NULL), AIORCH_E_NOT_FOUND);
  assert_int_equal(add(orch, "t", d), AIORCH_DOCUMENT_ADDED);
  aiorch_document_free(d);
  close_orch(orch);
}

static void test_add__out_of_memory_changes_nothing_or_all(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aiorch *orch = open_memory(&t.al);
  aiorch_document *d = make("a.md", "# One\n\nfirst text\n\n# Two\n\nsecond text");
  assert_int_equal(aiorch_document_add_anchor(d, 2, "one", 3), AIORCH_OK);
  for (long at = 1;; at++) {
    t.count = t.failed = 0;
    t.fail_at = at;
    aiorch_status st = aiorch_knowledge_add(orch, "t", 1, d, TIMEOUT, NULL);
    bool failed = t.failed > 0;
    t.fail_at = 0;
    aiorch_documents *list = NULL;
    assert_int_equal(aiorch_knowledge_list(orch, "t", 1, NULL, 0, 10, TIMEOUT, &list, NULL), AIORCH_OK);
    assert_int_equal(aiorch_documents_count(list), st == AIORCH_OK ? 1 : 0);
    aiorch_documents_free(list);
    if (!failed) break;
    if (st == AIORCH_OK)
      assert_int_equal(aiorch_knowledge_remove(orch, "t", 1, "a.md", 4, TIMEOUT, NULL), AIORCH_OK);
    else
      assert_int_equal(st, AIORCH_E_NOMEM);
  }
  aiorch_document_free(d);
  close_orch(orch);
  assert_int_equal(t.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_add__added_unchanged_updated),
    cmocka_unit_test(test_add__title_is_the_source_without_a_heading),
    cmocka_unit_test(test_add__refuses_what_is_no_document),
    cmocka_unit_test(test_list__pages_in_order),
    cmocka_unit_test(test_show__by_source_and_id_outlives_the_orchestrator),
    cmocka_unit_test(test_remove__gone),
    cmocka_unit_test(test_add__out_of_memory_changes_nothing_or_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
