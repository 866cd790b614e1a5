/* How keys are written. */
#include "key_text.h"

#include "server_crypto.h"

#include <stdint.h>
#include <string.h>

static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

enum { LETTERS = 62, FAIR_BELOW = 248 /* the largest multiple of 62 in a byte: above it some letters would come more often */ };

static bool random_letters(char *out, size_t count) {
  unsigned char bytes[64];
  size_t have = 0;
  while (have < count) {
    if (!crypto_random(bytes, sizeof bytes)) return false;
    for (size_t i = 0; i < sizeof bytes && have < count; i++) {
      if (bytes[i] < FAIR_BELOW) out[have++] = letters[bytes[i] % LETTERS];
    }
  }
  crypto_wipe(bytes, sizeof bytes);
  return true;
}

static bool check_letters(const char *text, size_t len, char out[KEY_CHECK_LEN]) {
  unsigned char hash[SHA256_BYTES];
  if (!crypto_sha256(text, len, hash)) return false;
  uint64_t number = 0;
  for (int i = 0; i < 8; i++) number = number << 8 | hash[i];
  for (int i = 0; i < KEY_CHECK_LEN; i++, number /= LETTERS) out[i] = letters[number % LETTERS];
  return true;
}

bool key_text_make(char key[KEY_TEXT_LEN + 1], char id[KEY_ID_LEN + 1]) {
  memcpy(key, "aik_", KEY_PREFIX_LEN);
  memcpy(id, "key_", 4);
  key[KEY_TEXT_LEN] = id[KEY_ID_LEN] = '\0';
  return random_letters(key + KEY_PREFIX_LEN, KEY_RANDOM_LEN) && random_letters(id + 4, KEY_ID_LEN - 4) &&
         check_letters(key, KEY_PREFIX_LEN + KEY_RANDOM_LEN, key + KEY_PREFIX_LEN + KEY_RANDOM_LEN);
}

bool key_text_claims(const char *text, size_t len) {
  return len >= KEY_PREFIX_LEN && memcmp(text, "aik_", KEY_PREFIX_LEN) == 0;
}

bool key_text_valid(const char *text, size_t len) {
  char check[KEY_CHECK_LEN];
  if (len != KEY_TEXT_LEN || !key_text_claims(text, len)) return false;
  for (size_t i = KEY_PREFIX_LEN; i < len; i++) {
    if (text[i] == '\0' || !strchr(letters, text[i])) return false;
  }
  size_t body = KEY_PREFIX_LEN + KEY_RANDOM_LEN;
  return check_letters(text, body, check) && memcmp(check, text + body, KEY_CHECK_LEN) == 0;
}
