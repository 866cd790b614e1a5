/* SHA-256 (FIPS 180-4), with the processor's own instructions where it has them. */
#include "core/hash.h"

#include <string.h>

/* Only gcc's run-time library tells whether the processor has them without a (slow) CPUID instruction of our own. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define HAVE_SHA_NI 1
#include <immintrin.h>
#endif

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t SHA256_K[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, int by) {
  return x >> by | x << (32 - by);
}

static uint32_t load_be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static void store_be32(uint8_t *p, uint32_t x) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(x >> (24 - 8 * i));
}

static void store_le64(uint8_t *p, uint64_t x) {
  for (int i = 0; i < 8; i++) p[i] = (uint8_t)(x >> (8 * i));
}

static uint32_t word_at(const uint32_t w[16], int i) {
  uint32_t before15 = w[(i - 15) & 15], before2 = w[(i - 2) & 15];
  uint32_t s0 = rotr(before15, 7) ^ rotr(before15, 18) ^ before15 >> 3;
  uint32_t s1 = rotr(before2, 17) ^ rotr(before2, 19) ^ before2 >> 10;
  return w[i & 15] + s0 + w[(i - 7) & 15] + s1;
}

static void add_block(uint32_t state[8], const uint8_t *p) {
  uint32_t w[16];
  for (int i = 0; i < 16; i++) w[i] = load_be32(p + 4 * i);
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    if (i >= 16) w[i & 15] = word_at(w, i);
    uint32_t t1 = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + (g ^ (e & (f ^ g))) + SHA256_K[i] + w[i & 15];
    uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) | (c & (a | b)));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

void aio__sha256_portable(uint32_t state[8], const uint8_t *blocks, size_t count) {
  for (; count > 0; count--, blocks += 64) add_block(state, blocks);
}

#if defined(HAVE_SHA_NI)
/* The processor keeps the state as (a,b,e,f) and (c,d,g,h), and does four rounds on four words in two instructions. */
__attribute__((target("sha,sse4.1"))) static void add_blocks_sha_ni(uint32_t state[8], const uint8_t *p, size_t count) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i low, high, abef, cdgh, m[4];
  memcpy(&low, state, 16);
  memcpy(&high, state + 4, 16);
  low = _mm_shuffle_epi32(low, 0xB1);
  high = _mm_shuffle_epi32(high, 0x1B);
  abef = _mm_alignr_epi8(low, high, 8);
  cdgh = _mm_blend_epi16(high, low, 0xF0);
  for (; count > 0; count--, p += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      __m128i k;
      memcpy(&k, SHA256_K + 4 * i, 16);
      if (i < 4) {
        memcpy(&m[i], p + 16 * i, 16);
        m[i] = _mm_shuffle_epi8(m[i], big_endian);
      } else {
        __m128i last = m[(i + 3) & 3];
        __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(m[i & 3], m[(i + 1) & 3]),
                                    _mm_alignr_epi8(last, m[(i + 2) & 3], 4));
        m[i & 3] = _mm_sha256msg2_epu32(sum, last);
      }
      k = _mm_add_epi32(k, m[i & 3]);
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0E));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  low = _mm_shuffle_epi32(abef, 0x1B);
  high = _mm_shuffle_epi32(cdgh, 0xB1);
  abef = _mm_blend_epi16(low, high, 0xF0);
  cdgh = _mm_alignr_epi8(high, low, 8);
  memcpy(state, &abef, 16);
  memcpy(state + 4, &cdgh, 16);
}
#endif

static void add_blocks(uint32_t state[8], const uint8_t *p, size_t count) {
#if defined(HAVE_SHA_NI)
  if (__builtin_cpu_supports("sha") && __builtin_cpu_supports("sse4.1")) {
    add_blocks_sha_ni(state, p, count);
    return;
  }
#endif
  aio__sha256_portable(state, p, count);
}

void aio__sha256_init(aio__sha256 *hash) {
  /* The first 32 bits of the fractions of the square roots of the first 8 primes. */
  static const uint32_t start[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  };
  memcpy(hash->state, start, sizeof start);
  hash->bytes = 0;
}

void aio__sha256_add(aio__sha256 *hash, const void *bytes, size_t len) {
  const uint8_t *p = bytes;
  size_t held = (size_t)(hash->bytes % sizeof hash->block);
  hash->bytes += len;
  if (held > 0) {
    size_t part = sizeof hash->block - held < len ? sizeof hash->block - held : len;
    if (part > 0) memcpy(hash->block + held, p, part);
    if (held + part < sizeof hash->block) return;
    add_blocks(hash->state, hash->block, 1);
    p += part;
    len -= part;
  }
  size_t whole = len / sizeof hash->block * sizeof hash->block;
  if (whole > 0) add_blocks(hash->state, p, whole / sizeof hash->block);
  if (len > whole) memcpy(hash->block, p + whole, len - whole);
}

void aio__sha256_u64(aio__sha256 *hash, uint64_t value) {
  uint8_t bytes[8];
  store_le64(bytes, value);
  aio__sha256_add(hash, bytes, sizeof bytes);
}

void aio__sha256_str(aio__sha256 *hash, aio__str text) {
  aio__sha256_u64(hash, text.n);
  aio__sha256_add(hash, text.p, text.n);
}

void aio__sha256_end(aio__sha256 *hash, uint8_t out[AIO__SHA256_SIZE]) {
  static const uint8_t padding[64] = {0x80};
  uint64_t bits = hash->bytes * 8;
  size_t held = (size_t)(hash->bytes % 64);
  aio__sha256_add(hash, padding, held < 56 ? 56 - held : 120 - held);
  uint8_t length[8];
  store_be32(length, (uint32_t)(bits >> 32));
  store_be32(length + 4, (uint32_t)bits);
  aio__sha256_add(hash, length, sizeof length);
  for (int i = 0; i < 8; i++) store_be32(out + 4 * i, hash->state[i]);
}

void aio__hex(const uint8_t *bytes, size_t len, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < len; i++) {
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 0xF];
  }
  *out = '\0';
}
