/*
 * The vocabulary of a WordPiece model: entries in one block of text, and an open hash table of their numbers, half full
 * at most, with bits of the hash beside the number so that few texts are compared in vain.
 */
#include <string.h>

#include "core/uuid.h"
#include "embedders/local/wordpiece_private.h"

enum {
  NUMBER_BITS = 21, /* for number + 1 */
  TAG_BITS = 32 - NUMBER_BITS,
  SLOTS_MIN_BITS = 4
};

static const uint32_t NUMBER_MASK = (UINT32_C(1) << NUMBER_BITS) - 1;

_Static_assert(AIO__WORDPIECE_VOCABULARY_MAX < 1 << NUMBER_BITS, "number + 1 has room in a slot");

/* ---- hash -------------------------------------------------------------------------------------------------------- */

/* splitmix64 */
static uint64_t next_random(uint64_t *state) {
  uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static void choose_factors(aio__vocabulary *v) {
  uint64_t state;
  if (aio__random(&state, sizeof state) != AIORCH_OK) state = (uintptr_t)v->slots;
  v->first_factor[0] = next_random(&state);
  v->first_factor[1] = next_random(&state);
  for (size_t i = 0; i < AIO__ENTRY_BYTES_MAX; i++) v->factor[i] = next_random(&state);
}

static uint64_t add_byte(const aio__vocabulary *v, uint64_t hash, size_t i, char byte) {
  return hash + v->factor[i] * ((uint64_t)(uint8_t)byte + 1);
}

/* Slots are chosen by the highest bits, tags are those below. */
static uint32_t tag_of(const aio__vocabulary *v, uint64_t hash) {
  return (uint32_t)(hash >> (v->shift - TAG_BITS)) << NUMBER_BITS;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

aiorch_status aio__vocabulary_init(aio__vocabulary *v, const aio__alloc *al, size_t count, size_t bytes) {
  int bits = SLOTS_MIN_BITS;
  while ((size_t)1 << bits < count * 2) bits++;
  v->count = (uint32_t)count;
  v->shift = 64 - bits;
  v->longest = 0;
  v->starts = aio__calloc(al, count + 1, sizeof *v->starts);
  v->slots = aio__calloc(al, (size_t)1 << bits, sizeof *v->slots);
  v->text = aio__malloc(al, bytes + 1);
  if (v->starts == NULL || v->slots == NULL || v->text == NULL) {
    aio__vocabulary_free(v, al);
    return AIORCH_E_NOMEM;
  }
  choose_factors(v);
  return AIORCH_OK;
}

void aio__vocabulary_free(aio__vocabulary *v, const aio__alloc *al) {
  aio__free(al, v->starts);
  aio__free(al, v->slots);
  aio__free(al, v->text);
  v->starts = v->slots = NULL;
  v->text = NULL;
}

aio__str aio__vocabulary_entry(const aio__vocabulary *v, size_t number) {
  return aio__str_n(v->text + v->starts[number], v->starts[number + 1] - v->starts[number]);
}

/* An entry without its ##, and whether it had one. */
static aio__str key_of(aio__str entry, bool *continues) {
  *continues = aio__str_starts(entry, AIO__LIT("##"));
  return *continues ? aio__str_n(entry.p + 2, entry.n - 2) : entry;
}

static uint64_t hash_key(const aio__vocabulary *v, aio__str key, bool continues) {
  uint64_t hash = v->first_factor[continues];
  for (size_t i = 0; i < key.n; i++) hash = add_byte(v, hash, i, key.p[i]);
  return hash;
}

/* No word begins with ##, so that a beginning is never taken for an entry that continues one. */
static bool is_entry(const aio__vocabulary *v, uint32_t number, aio__str key, bool continues) {
  aio__str entry = aio__vocabulary_entry(v, number);
  size_t prefix = continues ? 2 : 0;
  if (entry.n != key.n + prefix || memcmp(entry.p + prefix, key.p, key.n) != 0) return false;
  return !continues || aio__str_starts(entry, AIO__LIT("##"));
}

/* The slot of the key, or the empty one where it would be. */
static uint32_t *find_slot(const aio__vocabulary *v, uint64_t hash, aio__str key, bool continues) {
  size_t mask = ((size_t)1 << (64 - v->shift)) - 1;
  uint32_t tag = tag_of(v, hash);
  for (size_t i = (size_t)(hash >> v->shift);; i = (i + 1) & mask) {
    uint32_t slot = v->slots[i];
    if (slot == 0) return &v->slots[i];
    if ((slot & ~NUMBER_MASK) == tag && is_entry(v, (slot & NUMBER_MASK) - 1, key, continues)) return &v->slots[i];
  }
}

static int32_t number_in(const uint32_t *slot) {
  return (int32_t)(*slot & NUMBER_MASK) - 1;
}

bool aio__vocabulary_index(aio__vocabulary *v, int32_t *earlier, int32_t *later) {
  for (uint32_t number = 0; number < v->count; number++) {
    bool continues;
    aio__str key = key_of(aio__vocabulary_entry(v, number), &continues);
    uint64_t hash = hash_key(v, key, continues);
    uint32_t *slot = find_slot(v, hash, key, continues);
    if (*slot != 0) {
      *earlier = number_in(slot);
      *later = (int32_t)number;
      return false;
    }
    *slot = tag_of(v, hash) | (number + 1);
    if (key.n > v->longest) v->longest = key.n;
  }
  return true;
}

int32_t aio__vocabulary_find(const aio__vocabulary *v, aio__str entry) {
  bool continues;
  aio__str key = key_of(entry, &continues);
  if (key.n > v->longest) return AIO__NO_ENTRY;
  return number_in(find_slot(v, hash_key(v, key, continues), key, continues));
}

/* ---- pieces ------------------------------------------------------------------------------------------------------ */

static bool is_boundary(aio__str text, size_t at) {
  return at == text.n || ((uint8_t)text.p[at] & 0xC0) != 0x80;
}

/* The longest entry that `rest` begins with: its number and, in *n, its bytes. */
static int32_t longest_piece(const aio__vocabulary *v, aio__str rest, bool continues, size_t *n) {
  uint64_t hash[AIO__WORD_BYTES_MAX + 1];
  size_t max = rest.n < v->longest ? rest.n : v->longest;
  hash[0] = v->first_factor[continues];
  for (size_t i = 0; i < max; i++) hash[i + 1] = add_byte(v, hash[i], i, rest.p[i]);
  for (*n = max; *n > 0; --*n) {
    if (!is_boundary(rest, *n)) continue;
    int32_t number = number_in(find_slot(v, hash[*n], aio__str_n(rest.p, *n), continues));
    if (number != AIO__NO_ENTRY) return number;
  }
  return AIO__NO_ENTRY;
}

size_t aio__vocabulary_split(const aio__vocabulary *v, const aio__word *word, int32_t pieces[AIO__WORDPIECE_WORD_MAX]) {
  size_t count = 0, n;
  for (size_t at = 0; at < word->n; at += n) {
    aio__str rest = {word->bytes + at, word->n - at};
    pieces[count] = longest_piece(v, rest, at > 0, &n);
    if (pieces[count++] == AIO__NO_ENTRY) return 0;
  }
  return count;
}
