/* lib/guard/hit_guard_lexicon.c: what the data becomes, and data that is none */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard/hit_guard_parts.h"
#include "text/unpack.h"

static char *data;
static aio__hit_lexicon lexicon;

static int load(void **state) {
  (void)state;
  data = aio__unpack(&aio__data_hit_guard, aio__alloc_default());
  if (data == NULL) return -1;
  return aio__hit_lexicon_new(aio__alloc_default(), (aio__str){data, aio__data_hit_guard.len}, &lexicon, NULL) == AIORCH_OK ? 0 : -1;
}

static int unload(void **state) {
  (void)state;
  aio__hit_lexicon_free(&lexicon);
  aio__free(aio__alloc_default(), data);
  return 0;
}

static const aio__hit_entry *find(const char *word) {
  return aio__hit_lexicon_find_written(&lexicon, aio__str_z(word));
}

static void test_find__words_and_their_forms(void **state) {
  (void)state;
  assert_true(AIO__HIT_HAS(find("not"), NEGATOR));
  assert_true(AIO__HIT_HAS(find("NOT"), NEGATOR));
  assert_int_equal(find("may")->month, 5);
  assert_int_equal(find("sept")->month, 9);
  assert_int_equal(find("kilometres")->unit, find("km")->unit);
  assert_int_not_equal(find("miles")->unit, find("km")->unit);
  assert_int_equal(find("thousand")->number, 1000);
  assert_null(find("zzyzx"));
  static const char *const forms[] = {"enable", "enables", "enabled", "enabling", "activates", "turned on", "turning on"};
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    if (find(forms[i]) == NULL || find(forms[i])->choices[0] != find("enable")->choices[0]) fail_msg("%s", forms[i]);
  }
  assert_non_null(find("stopped"));
  assert_non_null(find("denies"));
  assert_non_null(find("hotter"));
  assert_non_null(find("credit cards"));
  assert_non_null(find("manually"));
  assert_true(AIO__HIT_HAS(find("impossibly"), NEGATIVE));
}

static void test_find__sets(void **state) {
  (void)state;
  const aio__hit_choice *buy = &lexicon.choices[find("buys")->choices[0]], *sell = &lexicon.choices[find("sells")->choices[0]];
  assert_int_equal(buy->set, sell->set);
  assert_int_equal(buy->guard, AIO__HIT_OPPOSITES);
  assert_int_not_equal(find("buys")->choices[0], find("sells")->choices[0]);
  assert_true(AIO__HIT_HAS(find("france"), NAME));
  assert_true(AIO__HIT_HAS(find("turn"), SPLIT));
  assert_int_equal(find("united")->words, 4); /* united states of america */
  assert_true(AIO__HIT_HAS(find("obtains"), LOOSE));
}

static void test_find_written__longer_than_any_entry(void **state) {
  (void)state;
  char word[AIO__HIT_WORD_MAX + 2];
  memset(word, 'a', sizeof word);
  word[sizeof word - 1] = '\0';
  assert_null(find(word));
}

static void test_units_equal__pounds(void **state) {
  (void)state;
  assert_true(aio__hit_units_equal(&lexicon, find("pounds")->unit, find("\xC2\xA3")->unit));
  assert_true(aio__hit_units_equal(&lexicon, find("lbs")->unit, find("pounds")->unit));
  assert_false(aio__hit_units_equal(&lexicon, find("lbs")->unit, find("\xC2\xA3")->unit));
}

/* The data with one piece of it replaced by another. */
static aiorch_status load_with(const char *from, const char *to, aiorch_error *error) {
  const char *at = strstr(data, from);
  assert_non_null(at);
  size_t head = (size_t)(at - data), n = strlen(data) - strlen(from) + strlen(to);
  char *changed = malloc(n + 1);
  assert_non_null(changed);
  memcpy(changed, data, head);
  strcpy(changed + head, to);
  strcat(changed, at + strlen(from));
  aio__hit_lexicon made;
  aiorch_status status = aio__hit_lexicon_new(aio__alloc_default(), aio__str_n(changed, n), &made, error);
  if (status == AIORCH_OK) aio__hit_lexicon_free(&made);
  free(changed);
  return status;
}

static void test_new__data_that_is_no_guard(void **state) {
  (void)state;
  static const struct {
    const char *from, *to, *says;
  } faults[] = {
    {"{", "[", "hit_guard.json"},
    {"\"lead\": \"", "\"lead\": [1], \"x\": \"", "\"lead\""},
    {"\"lead\": \"", "\"load\": \"", "\"lead\""},
    {"\"zero\": 0", "\"zero\": -1", "\"numbers\""},
    {"\"scales\": {", "\"scale\": {", "\"scales\""},
    {"\"pound lb\"", "\"pound xyzzy\"", "\"unit_aliases\""},
    {"{\"guard\": \"dates\"", "{\"guard\": \"dots\"", "\"sets\""},
    {"\"particles\": \"", "\"particles\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ", "64 bytes"},
    {"\"depth\": {", "\"d1\": {}, \"d2\": {}, \"depth\": {", "\"relations\""},
  };
  aiorch_error error;
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    aio__error_init(&error);
    aiorch_status status = load_with(faults[i].from, faults[i].to, &error);
    if (status != AIORCH_E_INTERNAL) fail_msg("%s: status %d", faults[i].to, (int)status);
    if (strstr(error.message, faults[i].says) == NULL) fail_msg("%s: \"%s\"", faults[i].to, error.message);
  }
  assert_int_equal(load_with("\"about\"", "\"abort\"", &error), AIORCH_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_find__words_and_their_forms),
    cmocka_unit_test(test_find__sets),
    cmocka_unit_test(test_find_written__longer_than_any_entry),
    cmocka_unit_test(test_units_equal__pounds),
    cmocka_unit_test(test_new__data_that_is_no_guard),
  };
  return cmocka_run_group_tests(tests, load, unload);
}
