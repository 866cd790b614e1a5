/* lib/core/sha256.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"

static void sha256_hex(const char *text, size_t len, size_t step, char out[65]) {
  aio__sha256 hash;
  uint8_t digest[AIO__SHA256_SIZE];
  aio__sha256_init(&hash);
  for (size_t at = 0; at < len; at += step) aio__sha256_add(&hash, text + at, len - at < step ? len - at : step);
  aio__sha256_end(&hash, digest);
  aio__hex(digest, sizeof digest, out);
}

static void test_sha256__published_vectors(void **state) {
  (void)state;
  static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  char out[65];
  sha256_hex("", 0, 1, out);
  assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  sha256_hex("abc", 3, 3, out);
  assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  sha256_hex(two_blocks, strlen(two_blocks), 64, out);
  assert_string_equal(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  static char million[1000000];
  memset(million, 'a', sizeof million);
  sha256_hex(million, sizeof million, 977, out);
  assert_string_equal(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_sha256__any_length_in_any_pieces(void **state) {
  (void)state;
  char text[200], whole[65], pieces[65], other[65] = "";
  for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i * 7);
  for (size_t len = 0; len <= sizeof text; len++) {
    sha256_hex(text, len, sizeof text, whole);
    for (size_t step = 1; step < 130; step += 21) {
      sha256_hex(text, len, step, pieces);
      assert_string_equal(whole, pieces);
    }
    assert_string_not_equal(whole, other);
    strcpy(other, whole);
  }
}

static void test_sha256_portable__agrees_with_the_published_vector(void **state) {
  (void)state;
  /* "abc", padded by hand. */
  uint8_t block[64] = {'a', 'b', 'c', 0x80, [63] = 24};
  aio__sha256 hash;
  aio__sha256_init(&hash);
  aio__sha256_portable(hash.state, block, 1);
  static const uint32_t want[8] = {0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223,
                                   0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad};
  assert_memory_equal(hash.state, want, sizeof want);
}

static void test_sha256_portable__agrees_with_the_processor(void **state) {
  (void)state;
  uint8_t text[64 * 20];
  for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)(i * 31 + i / 64);
  for (size_t blocks = 0; blocks <= 20; blocks++) {
    aio__sha256 portable, any;
    aio__sha256_init(&portable);
    aio__sha256_init(&any);
    aio__sha256_portable(portable.state, text, blocks);
    aio__sha256_add(&any, text, blocks * 64);
    assert_memory_equal(portable.state, any.state, sizeof any.state);
  }
}

static void test_sha256_str__lengths_are_part_of_it(void **state) {
  (void)state;
  uint8_t a[AIO__SHA256_SIZE], b[AIO__SHA256_SIZE], c[AIO__SHA256_SIZE];
  aio__sha256 hash;
  aio__sha256_init(&hash);
  aio__sha256_str(&hash, AIO__LIT("a"));
  aio__sha256_str(&hash, AIO__LIT("bc"));
  aio__sha256_end(&hash, a);
  aio__sha256_init(&hash);
  aio__sha256_str(&hash, AIO__LIT("ab"));
  aio__sha256_str(&hash, AIO__LIT("c"));
  aio__sha256_end(&hash, b);
  assert_memory_not_equal(a, b, sizeof a);
  aio__sha256_init(&hash);
  aio__sha256_add(&hash, "\1\0\0\0\0\0\0\0a", 9);
  aio__sha256_u64(&hash, 2);
  aio__sha256_add(&hash, "bc", 2);
  aio__sha256_end(&hash, c);
  assert_memory_equal(a, c, sizeof a);
  aio__sha256_init(&hash);
  aio__sha256_str(&hash, aio__str_z(NULL));
  aio__sha256_end(&hash, b);
  aio__sha256_init(&hash);
  aio__sha256_u64(&hash, 0);
  aio__sha256_end(&hash, c);
  assert_memory_equal(b, c, sizeof b);
}

static void test_hex__lower_case(void **state) {
  (void)state;
  char out[9];
  aio__hex((const uint8_t *)"\x00\x9F\xAB\xFF", 4, out);
  assert_string_equal(out, "009fabff");
  aio__hex(NULL, 0, out);
  assert_string_equal(out, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sha256__published_vectors),
    cmocka_unit_test(test_sha256__any_length_in_any_pieces),
    cmocka_unit_test(test_sha256_portable__agrees_with_the_published_vector),
    cmocka_unit_test(test_sha256_portable__agrees_with_the_processor),
    cmocka_unit_test(test_sha256_str__lengths_are_part_of_it),
    cmocka_unit_test(test_hex__lower_case),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
