/*
 * What the wordpiece*.c files share: the vocabulary as a table, and a text as a stream of words.
 */
#ifndef AIO_EMBEDDERS_WORDPIECE_PRIVATE_H
#define AIO_EMBEDDERS_WORDPIECE_PRIVATE_H

#include "embedders/local/wordpiece.h"

enum {
  AIO__WORD_BYTES_MAX = AIO__WORDPIECE_WORD_MAX * 4,
  AIO__ENTRY_BYTES_MAX = AIO__WORD_BYTES_MAX + 2 /* "##" before the longest word */
};

/* ---- rules (wordpiece_rules.c) ----------------------------------------------------------------------------------- */

typedef struct aio__word_rules {
  bool lower;
  bool strip_accents;     /* NFD, and marks that take no space dropped */
  bool split_ideographs;  /* each is a word */
  uint8_t byte[256];      /* what becomes of a byte: see aio__word_rules_init */
} aio__word_rules;

void aio__word_rules_init(aio__word_rules *rules, bool lower, bool strip_accents, bool split_ideographs);

typedef struct aio__word {
  size_t n;               /* bytes; 0 when the word is too long */
  size_t chars;           /* more than AIO__WORDPIECE_WORD_MAX: too long, what is in `bytes` means nothing */
  char bytes[AIO__WORD_BYTES_MAX];
} aio__word;

typedef struct aio__word_part {
  uint32_t code_point;
  uint8_t kind, combining_class;
} aio__word_part;

enum { AIO__WORD_PARTS_MAX = 8 };

/* A text on its way into words. Start with {.rules, .text}. */
typedef struct aio__words {
  const aio__word_rules *rules;
  aio__str text;
  size_t pos;
  bool in_long_word;      /* what follows belongs to a word that was given already */
  uint8_t part, parts;    /* of the character before pos: which comes next, and how many there are */
  aio__word_part list[AIO__WORD_PARTS_MAX];
} aio__words;

/* The next word, false when there is none. Reads no further than the word, and of one that is too long no further than
 * what makes it so. */
bool aio__words_next(aio__words *words, aio__word *out);

/* ---- vocabulary (wordpiece_vocabulary.c) ------------------------------------------------------------------------- */

/* Entries by number and, hashed, by text. The hash is multilinear with random factors: sums of byte times factor, so
 * that the hashes of all prefixes of a word cost one pass, and nobody can choose entries that collide. */
typedef struct aio__vocabulary {
  uint32_t count;
  uint32_t *starts;       /* count + 1: where in `text` each entry begins */
  char *text;             /* all entries, one behind the other */
  uint32_t *slots;        /* 0: empty; else number + 1, and above it bits of the hash */
  int shift;              /* of a hash to its slot */
  size_t longest;         /* bytes of the longest entry, without ## */
  uint64_t first_factor[2]; /* of words' beginnings, of what continues them */
  uint64_t factor[AIO__ENTRY_BYTES_MAX];
} aio__vocabulary;

enum { AIO__NO_ENTRY = -1 };

/* Room for `count` entries of `bytes` in all. Then the caller fills starts (zeroed) and text, and calls index.
 * AIORCH_E_NOMEM. */
aiorch_status aio__vocabulary_init(aio__vocabulary *v, const aio__alloc *al, size_t count, size_t bytes);
void aio__vocabulary_free(aio__vocabulary *v, const aio__alloc *al);
/* False when two entries are the same: *earlier and *later are their numbers. */
bool aio__vocabulary_index(aio__vocabulary *v, int32_t *earlier, int32_t *later);
int32_t aio__vocabulary_find(const aio__vocabulary *v, aio__str entry); /* AIO__NO_ENTRY: not there */
aio__str aio__vocabulary_entry(const aio__vocabulary *v, size_t number);
/* Greedy, the longest piece first. How many pieces; 0 when the word does not come out. */
size_t aio__vocabulary_split(const aio__vocabulary *v, const aio__word *word, int32_t pieces[AIO__WORDPIECE_WORD_MAX]);

/* ---- the tokenizer (wordpiece.c) --------------------------------------------------------------------------------- */

struct aio__wordpiece {
  const aio__alloc *al;
  aio__word_rules rules;
  aio__vocabulary vocabulary;
  int32_t unknown, first, last; /* [UNK], [CLS], [SEP] */
};

/* Indexes the filled vocabulary and finds the special entries. AIORCH_E_MODEL; entries are called "line" or "number" by
 * `counted_as`, counted from `counted_from`. */
aiorch_status aio__wordpiece_finish(aio__wordpiece *tokenizer, const char *path, const char *counted_as,
                                    int32_t counted_from, aiorch_error *error);
/* What both sources refuse: an entry (NULL when nothing is wrong with it), a file of so many bytes. */
const char *aio__wordpiece_entry_fault(aio__str entry);
aiorch_status aio__wordpiece_too_large(size_t bytes, const char *path, aiorch_error *error);

#endif
