/* lib/api/document.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/document.h"
#include "support/test_alloc.h"

static aiorch_document *make(void) {
  aiorch_document *d = NULL;
  assert_int_equal(aiorch_document_new(&d), AIORCH_OK);
  return d;
}

static void test_new__empty(void **state) {
  (void)state;
  assert_int_equal(aiorch_document_new(NULL), AIORCH_E_INVALID);
  aiorch_document *d = make();
  const char *text = NULL;
  size_t len = 9;
  assert_int_equal(aiorch_document_id(d, &text, &len), AIORCH_OK);
  assert_string_equal(text, "");
  assert_int_equal(len, 0);
  assert_int_equal(aiorch_document_title(d, &text, NULL), AIORCH_OK);
  assert_string_equal(text, "");
  assert_int_equal(aiorch_document_outcome(d), 0);
  assert_int_equal(aiorch_document_chunks(d), 0);
  aiorch_document_free(d);
  aiorch_document_free(NULL);
}

static void test_setters__refuse_what_is_no_name(void **state) {
  (void)state;
  aiorch_document *d = make();
  char longer[AIO__SOURCE_MAX + 1];
  memset(longer, 'a', sizeof longer);
  assert_int_equal(aiorch_document_set_source(d, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_set_source(d, NULL, 3), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_set_source(d, "a\0b", 3), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_set_source(d, "\xff", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_set_source(d, longer, sizeof longer), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_set_source(d, longer, sizeof longer - 1), AIORCH_OK);
  assert_int_equal(aiorch_document_set_title(d, longer, sizeof longer), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_set_title(d, "", 0), AIORCH_OK);
  assert_int_equal(aiorch_document_set_source(NULL, "a", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_set_text(d, 7, "a", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, NULL, 1), AIORCH_E_INVALID);
  const char *source = NULL;
  size_t len = 0;
  assert_int_equal(aiorch_document_source(d, &source, &len), AIORCH_OK);
  assert_int_equal(len, AIO__SOURCE_MAX); /* the last good one */
  aiorch_document_free(d);
}

static void test_set_text__cleaned_and_replaced(void **state) {
  (void)state;
  aiorch_document *d = make();
  const char *text = NULL;
  size_t len = 0;
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, "\xef\xbb\xbfone\r\ntwo", 11), AIORCH_OK);
  assert_int_equal(aiorch_document_text(d, &text, &len), AIORCH_OK);
  assert_string_equal(text, "one\ntwo");
  assert_int_equal(len, 7);
  assert_int_equal(aiorch_document_bytes(d), 7);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_MARKDOWN, "", 0), AIORCH_OK);
  assert_int_equal(aiorch_document_text(d, &text, &len), AIORCH_OK);
  assert_int_equal(len, 0);
  aiorch_document_free(d);
}

static void test_set_text__one_in_a_thousand(void **state) {
  (void)state;
  aiorch_document *d = make();
  char text[2000];
  memset(text, 'a', sizeof text);
  text[10] = '\xff';
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, text, 1000), AIORCH_OK);
  assert_false(d->binary);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, text, 999), AIORCH_OK);
  assert_true(d->binary);
  assert_int_equal(aiorch_document_bytes(d), 0);
  text[20] = '\0';
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, text, 2000), AIORCH_OK);
  assert_false(d->binary);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, text, 1999), AIORCH_OK);
  assert_true(d->binary);
  aiorch_document_free(d);
}

static void test_add_metadata__limits(void **state) {
  (void)state;
  aiorch_document *d = make();
  char value[AIO__METADATA_VALUE_MAX + 1];
  memset(value, 'v', sizeof value);
  assert_int_equal(aiorch_document_add_metadata(d, "", 0, "v", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_add_metadata(d, value, 64, "v", 1), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_add_metadata(d, "k", 1, value, sizeof value), AIORCH_E_TOO_LARGE);
  for (int i = 0; i < AIO__METADATA_MAX; i++) {
    assert_int_equal(aiorch_document_add_metadata(d, "k", 1, value, sizeof value - 1), AIORCH_OK);
  }
  assert_int_equal(aiorch_document_add_metadata(d, "k", 1, "v", 1), AIORCH_E_TOO_LARGE);
  assert_int_equal(d->metadata[63].value.n, AIO__METADATA_VALUE_MAX);
  aiorch_document_free(d);
}

static void test_add_anchor__order_and_places(void **state) {
  (void)state;
  aiorch_document *d = make();
  aio__arena arena;
  const aio__anchor *anchors = NULL;
  assert_int_equal(aiorch_document_add_anchor(d, 0, "top", 3), AIORCH_OK);
  assert_int_equal(aiorch_document_add_anchor(d, 6, "b", 1), AIORCH_OK);
  assert_int_equal(aiorch_document_add_anchor(d, 6, "c", 1), AIORCH_OK);
  assert_int_equal(aiorch_document_add_anchor(d, 5, "back", 4), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_add_anchor(d, 7, "", 0), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_add_anchor(d, 1000, "end", 3), AIORCH_OK);
  assert_int_equal(aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, "a\r\nb\r\nc", 7), AIORCH_OK);
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_int_equal(aio__document_anchors(d, &arena, &anchors), AIORCH_OK);
  assert_int_equal(anchors[0].offset, 0);
  assert_int_equal(anchors[1].offset, 4); /* "c" stands there now */
  assert_int_equal(anchors[2].offset, 4);
  assert_int_equal(anchors[3].offset, 5);
  assert_true(aio__str_eqz(anchors[3].name, "end"));
  aio__arena_free(&arena);
  aiorch_document_free(d);
}

static void test_accessors__foreign_and_null(void **state) {
  (void)state;
  uint64_t foreign[64] = {0};
  const char *text = NULL;
  assert_int_equal(aiorch_document_id((const aiorch_document *)foreign, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_text(NULL, &text, NULL), AIORCH_E_INVALID);
  assert_int_equal(aiorch_document_outcome(NULL), 0);
  assert_int_equal(aiorch_documents_count(NULL), 0);
  assert_null(aiorch_documents_get(NULL, 0));
  aiorch_documents_free(NULL);
}

static aio__store_document stored(void) {
  static const aio__pair metadata[] = {{{"lang", 4}, {"en", 2}}};
  static const aio__anchor anchors[] = {{1, {"x", 1}}};
  aio__store_document from = {.source = AIO__LIT("s"),
                              .title = AIO__LIT("T"),
                              .text = AIO__LIT("text"),
                              .bytes = 4,
                              .chunk_count = 2,
                              .updated_ms = 5,
                              .format = AIORCH_FORMAT_MARKDOWN,
                              .metadata = metadata,
                              .metadata_count = 1,
                              .anchors = anchors,
                              .anchor_count = 1};
  strcpy(from.id, "018bcfe5-6800-7000-8000-000000000001");
  return from;
}

static void test_documents_from_store__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  aio__store_document from[3] = {stored(), stored(), stored()};
  do {
    aiorch_documents *list = NULL;
    aio__test_alloc_next(&t);
    aiorch_status st = aio__documents_from_store(&t.al, from, 3, &list);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(aiorch_documents_count(list), st == AIORCH_OK ? 3 : 0);
    if (st == AIORCH_OK) {
      const char *title = NULL;
      assert_int_equal(aiorch_document_title(aiorch_documents_get(list, 2), &title, NULL), AIORCH_OK);
      assert_string_equal(title, "T");
      assert_int_equal(aiorch_document_chunks(aiorch_documents_get(list, 2)), 2);
      assert_null(aiorch_documents_get(list, 3));
    }
    aiorch_documents_free(list);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

static void test_setters__out_of_memory_keeps_what_was_there(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aiorch_document *d = NULL;
    aio__test_alloc_next(&t);
    if (aio__document_new(&t.al, &d) == AIORCH_OK) {
      size_t pairs = 0, anchors = 0;
      (void)aiorch_document_set_source(d, "one", 3);
      bool first = d->source.n > 0;
      if (aiorch_document_set_source(d, "another", 7) != AIORCH_OK) assert_int_equal(d->source.n, first ? 3 : 0);
      for (int i = 0; i < 40; i++) {
        pairs += aiorch_document_add_metadata(d, "name", 4, "value", 5) == AIORCH_OK;
        anchors += aiorch_document_add_anchor(d, (uint64_t)i, "anchor", 6) == AIORCH_OK;
      }
      assert_int_equal(d->metadata_count, pairs);
      assert_int_equal(d->anchor_count, anchors);
      for (size_t i = 0; i < anchors; i++) assert_true(aio__str_eqz(d->anchors[i].name, "anchor"));
      for (size_t i = 0; i < pairs; i++) assert_true(aio__str_eqz(d->metadata[i].value, "value"));
      (void)aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, "a\r\nb", 4);
    }
    aiorch_document_free(d);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_new__empty),
    cmocka_unit_test(test_setters__refuse_what_is_no_name),
    cmocka_unit_test(test_set_text__cleaned_and_replaced),
    cmocka_unit_test(test_set_text__one_in_a_thousand),
    cmocka_unit_test(test_add_metadata__limits),
    cmocka_unit_test(test_add_anchor__order_and_places),
    cmocka_unit_test(test_accessors__foreign_and_null),
    cmocka_unit_test(test_documents_from_store__out_of_memory),
    cmocka_unit_test(test_setters__out_of_memory_keeps_what_was_there),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
