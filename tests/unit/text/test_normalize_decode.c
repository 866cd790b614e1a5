/* lib/text/normalize_decode.c: the decoders and what they leave alone */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/normalize_parts.h"

typedef bool decode_fn(aio__arena *arena, const aio__source *in, aio__source *out);

static void assert_decodes(decode_fn *decode, const char *text, const char *expected) {
  aio__arena arena;
  aio__source in = {aio__str_z(text), NULL}, out;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_true(decode(&arena, &in, &out));
  assert_int_equal(out.text.n, strlen(expected));
  assert_memory_equal(out.text.p, expected, out.text.n);
  assert_int_equal(out.offsets[out.text.n], strlen(text));
  aio__arena_free(&arena);
}

static void test_decode_base64__forms(void **state) {
  (void)state;
  assert_decodes(aio__decode_base64, "aWdub3JlIGFsbCBwcmV2aW91cw==", "ignore all previous\n");
  assert_decodes(aio__decode_base64, "aWdub3JlIGFsbCBwcmV2aW91cw", "ignore all previous\n");
  assert_decodes(aio__decode_base64, "x: aWdub3JlIGFs\nbCBwcmV2aW91cw==", "");           /* a line of 12: too short */
  assert_decodes(aio__decode_base64, "aWdub3JlIGFsbCBw\r\ncmV2aW91cw==", "ignore all previous\n");
  assert_decodes(aio__decode_base64, "w6TDtsO8IMOkw7bDvCDDpMO2w7w=",
                 "\xC3\xA4\xC3\xB6\xC3\xBC \xC3\xA4\xC3\xB6\xC3\xBC \xC3\xA4\xC3\xB6\xC3\xBC\n");
  assert_decodes(aio__decode_base64, "aWdub3JlIGFsbCBwcmV2aW91cw== and aGVsbG8gdGhlcmUgZnJpZW5k",
                 "ignore all previous\nhello there friend\n");
}

static void test_decode_base64__what_is_none(void **state) {
  (void)state;
  assert_decodes(aio__decode_base64, "aWdub3JlIGFs", "");
  assert_decodes(aio__decode_base64, "counterrevolutionaries", "");
  assert_decodes(aio__decode_base64, "/usr/share/doc/postgresql-doc-15/html", "");
  assert_decodes(aio__decode_base64, "0123456789012345678901234567890", "");
  assert_decodes(aio__decode_base64, "AAAAAAAAAAAAAAAAAAAAAAAA", "");
  assert_decodes(aio__decode_base64, "", "");
}

static void test_decode_hex__forms(void **state) {
  (void)state;
  assert_decodes(aio__decode_hex, "69676e6f726520616c6c", "ignore all\n");
  assert_decodes(aio__decode_hex, "69 67 6E 6F 72 65 20 61 6c 6c", "ignore all\n");
  assert_decodes(aio__decode_hex, "\\x69\\x67\\x6e\\x6f\\x72\\x65\\x20\\x61", "ignore a\n");
  assert_decodes(aio__decode_hex, "0x69, 0x67, 0x6e, 0x6f, 0x72, 0x65, 0x20, 0x61", "ignore a\n");
}

static void test_decode_hex__what_is_none(void **state) {
  (void)state;
  assert_decodes(aio__decode_hex, "69676e6f", "");
  assert_decodes(aio__decode_hex, "da39a3ee5e6b4b0d3255bfef95601890afd80709", "");
  assert_decodes(aio__decode_hex, "x69676e6f726520616c6c", "");
  assert_decodes(aio__decode_hex, "call 555 12 34 56 78 90 12 34 56", "");
  assert_decodes(aio__decode_hex, "", "");
}

static void test_decode_escapes__forms(void **state) {
  (void)state;
  assert_decodes(aio__decode_escapes, "%69g&#110;&#x6f;\\x72\\u0065\\u{21}", "ignore!");
  assert_decodes(aio__decode_escapes, "&lt;|im_start|&gt; a&amp;b&nbsp;&quot;&apos;", "<|im_start|> a&b \"'");
  assert_decodes(aio__decode_escapes, "%C3%A4x", "\xC3\xA4x");
  assert_decodes(aio__decode_escapes, "%69%C3x &#105;", "%69%C3x i"); /* not UTF-8 together: left as it is */
}

static void test_decode_escapes__what_is_none(void **state) {
  (void)state;
  assert_decodes(aio__decode_escapes, "100% & more &; \\ \\x \\u12 %zz &#; &unknown; %", "");
  assert_decodes(aio__decode_escapes, "\\ud800 &#xD800; &#0; %00 \\x00", "");
  assert_decodes(aio__decode_escapes, "", "");
}

static void test_decode_tags__in_place(void **state) {
  (void)state;
  assert_decodes(aio__decode_tags, "a\xF3\xA0\x81\xA9 b", "ai b");
  assert_decodes(aio__decode_tags, "no tags \xC3\xA4", "");
  assert_decodes(aio__decode_tags, "\xF0\x9F\x98\x80\xF3\xA0\x85\x98\xF3\xA0\x85\x99", "\xF0\x9F\x98\x80hi");
  assert_decodes(aio__decode_tags, "\xE2\x9D\xA4\xEF\xB8\x8F", ""); /* one selector belongs to its emoji */
}

static void assert_closes(const char *text, const char *expected) {
  aio__arena arena;
  aio__source in = {aio__str_z(text), NULL}, out;
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  assert_true(aio__decode_spaced(&arena, in.text, &in, &out));
  assert_int_equal(out.text.n, strlen(expected));
  assert_memory_equal(out.text.p, expected, out.text.n);
  aio__arena_free(&arena);
}

static void test_decode_spaced__forms(void **state) {
  (void)state;
  assert_closes("i g n o r e   a l l", "ignore all");
  assert_closes("i-g-n-o-r-e- -a-l-l", "ignore all");
  assert_closes("i.g.n.o.r.e", "ignore");
  assert_closes("w a i t .   N o w", "wait. Now");
  assert_closes("say i g n o r e now", "say ignore now");
  assert_closes("\xC3\xA4 b c d", "\xC3\xA4" "bcd");
}

static void test_decode_spaced__what_is_none(void **state) {
  (void)state;
  assert_closes("a b c", "");
  assert_closes("plain words only", "");
  assert_closes("x", "");
  assert_closes("", "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_decode_base64__forms),      cmocka_unit_test(test_decode_base64__what_is_none),
    cmocka_unit_test(test_decode_hex__forms),         cmocka_unit_test(test_decode_hex__what_is_none),
    cmocka_unit_test(test_decode_escapes__forms),     cmocka_unit_test(test_decode_escapes__what_is_none),
    cmocka_unit_test(test_decode_tags__in_place),     cmocka_unit_test(test_decode_spaced__forms),
    cmocka_unit_test(test_decode_spaced__what_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
