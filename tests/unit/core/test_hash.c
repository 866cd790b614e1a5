/* lib/core/hash.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"

static void test_crc32c__published_vectors(void **state) {
  (void)state;
  uint8_t bytes[32] = {0};
  assert_int_equal(aio__crc32c(0, bytes, 32), 0x8A9136AA); /* RFC 3720, B.4 */
  memset(bytes, 0xFF, sizeof bytes);
  assert_int_equal(aio__crc32c(0, bytes, 32), 0x62A8AB43);
  for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
  assert_int_equal(aio__crc32c(0, bytes, 32), 0x46DD794E);
  assert_int_equal(aio__crc32c(0, "123456789", 9), 0xE3069283);
  assert_int_equal(aio__crc32c(0, NULL, 0), 0);
}

static void test_crc32c_portable__agrees_with_the_processor(void **state) {
  (void)state;
  uint8_t bytes[100];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37);
  assert_int_equal(aio__crc32c_portable(0, "123456789", 9), 0xE3069283);
  for (size_t len = 0; len <= sizeof bytes; len++) {
    assert_int_equal(aio__crc32c_portable(7, bytes, len), aio__crc32c(7, bytes, len));
  }
}

static void test_crc32c__goes_on_where_it_stopped(void **state) {
  (void)state;
  static const char text[] = "the quick brown fox jumps over the lazy dog";
  uint32_t whole = aio__crc32c(0, text, sizeof text);
  for (size_t cut = 0; cut <= sizeof text; cut++) {
    assert_int_equal(aio__crc32c(aio__crc32c(0, text, cut), text + cut, sizeof text - cut), whole);
  }
}

static void test_hash64__depends_on_key_length_and_every_bit(void **state) {
  (void)state;
  char text[40] = {0};
  for (size_t len = 0; len < sizeof text; len++) {
    uint64_t hash = aio__hash64(1, text, len);
    assert_true(hash == aio__hash64(1, text, len));
    assert_true(hash != aio__hash64(2, text, len));
    assert_true(hash != aio__hash64(1, text, len + 1));
    for (size_t bit = 0; bit < len * 8; bit++) {
      text[bit / 8] = (char)(1u << bit % 8);
      assert_true(hash != aio__hash64(1, text, len));
      text[bit / 8] = 0;
    }
  }
}

static void test_hash64__spreads_over_a_table(void **state) {
  (void)state;
  int buckets[256] = {0};
  for (uint32_t i = 0; i < 25600; i++) buckets[aio__hash64(42, &i, sizeof i) & 255]++;
  for (int i = 0; i < 256; i++) assert_in_range(buckets[i], 50, 160);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_crc32c__published_vectors),
    cmocka_unit_test(test_crc32c_portable__agrees_with_the_processor),
    cmocka_unit_test(test_crc32c__goes_on_where_it_stopped),
    cmocka_unit_test(test_hash64__depends_on_key_length_and_every_bit),
    cmocka_unit_test(test_hash64__spreads_over_a_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
