/*
 * SHA-256 (FIPS 180-4) of files: what a model's files are checked by. The library has its own, out of this program's reach.
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 64, LENGTH_AT = 56, READ_BYTES = 1 << 18 };

static const uint32_t rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

typedef struct digest {
  uint32_t state[8];
  uint64_t bytes;
  unsigned char rest[BLOCK]; /* bytes % BLOCK of them */
} digest;

static uint32_t rotated(uint32_t x, int by) { return (x >> by) | (x << (32 - by)); }

static uint32_t read_u32(const unsigned char *at) {
  return ((uint32_t)at[0] << 24) | ((uint32_t)at[1] << 16) | ((uint32_t)at[2] << 8) | at[3];
}

/* One round: what the eight letters become, of which only two change; the caller turns their order. */
static inline void one_round(const uint32_t s[8], int turn, uint32_t input, uint32_t *d, uint32_t *h) {
  uint32_t a = s[(0 - turn) & 7], b = s[(1 - turn) & 7], c = s[(2 - turn) & 7];
  uint32_t e = s[(4 - turn) & 7], f = s[(5 - turn) & 7], g = s[(6 - turn) & 7];
  uint32_t one = *h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + (g ^ (e & (f ^ g))) + input;
  *d += one;
  *h = one + (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) | (c & (a | b)));
}

static void add_block(uint32_t state[8], const unsigned char *block) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++) w[i] = read_u32(block + 4 * i);
  for (int i = 16; i < 64; i++) {
    uint32_t low = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ (w[i - 15] >> 3);
    uint32_t high = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + low + w[i - 7] + high;
  }
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i += 8) { /* written out, the turns are constants */
    one_round(s, 0, rounds[i] + w[i], &s[3], &s[7]);
    one_round(s, 1, rounds[i + 1] + w[i + 1], &s[2], &s[6]);
    one_round(s, 2, rounds[i + 2] + w[i + 2], &s[1], &s[5]);
    one_round(s, 3, rounds[i + 3] + w[i + 3], &s[0], &s[4]);
    one_round(s, 4, rounds[i + 4] + w[i + 4], &s[7], &s[3]);
    one_round(s, 5, rounds[i + 5] + w[i + 5], &s[6], &s[2]);
    one_round(s, 6, rounds[i + 6] + w[i + 6], &s[5], &s[1]);
    one_round(s, 7, rounds[i + 7] + w[i + 7], &s[4], &s[0]);
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

static void begin(digest *d) {
  static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  *d = (digest){0};
  memcpy(d->state, first, sizeof first);
}

static void add(digest *d, const unsigned char *data, size_t len) {
  size_t have = (size_t)(d->bytes % BLOCK);
  d->bytes += len;
  if (have > 0) {
    size_t n = len < BLOCK - have ? len : BLOCK - have;
    memcpy(d->rest + have, data, n);
    data += n;
    len -= n;
    if (have + n < BLOCK) return;
    add_block(d->state, d->rest);
  }
  for (; len >= BLOCK; data += BLOCK, len -= BLOCK) add_block(d->state, data);
  if (len > 0) memcpy(d->rest, data, len);
}

static void end(digest *d, char hex[MODEL_HEX + 1]) {
  static const char digits[] = "0123456789abcdef";
  uint64_t bits = d->bytes * 8;
  unsigned char tail[2 * BLOCK] = {0x80};
  size_t have = (size_t)(d->bytes % BLOCK), n = (have < LENGTH_AT ? LENGTH_AT : BLOCK + LENGTH_AT) - have;
  for (int i = 0; i < 8; i++) tail[n + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
  add(d, tail, n + 8);
  for (int i = 0; i < MODEL_HEX; i++) hex[i] = digits[(d->state[i / 8] >> (28 - 4 * (i % 8))) & 15];
  hex[MODEL_HEX] = '\0';
}

int digest_file(const char *path, char hex[MODEL_HEX + 1], uint64_t *bytes) {
  digest d;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  unsigned char *buffer = cli_alloc(READ_BYTES);
  int error = 0;
  begin(&d);
  for (;;) {
    ssize_t got = read(fd, buffer, READ_BYTES);
    if (got < 0) error = errno;
    if (got <= 0) break;
    add(&d, buffer, (size_t)got);
    if (cli_interrupted()) error = EINTR;
    if (error) break;
  }
  close(fd);
  free(buffer);
  *bytes = d.bytes;
  end(&d, hex);
  return error;
}
