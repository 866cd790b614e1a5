/*
 * What the hit_guard_*.c files share: the words that the guards know, a text cut into tokens, and what was found in it.
 *
 * A check reads both texts once (hit_guard_words.c, hit_guard_text.c), takes numbers, dates and units out of each
 * (hit_guard_dates.c, hit_guard_numbers.c), and compares (hit_guard_compare.c, hit_guard_negation.c, hit_guard_names.c,
 * hit_guard_order.c). Nothing is kept between checks.
 */
#ifndef AIO_GUARD_HIT_GUARD_PARTS_H
#define AIO_GUARD_HIT_GUARD_PARTS_H

#include <string.h>

#include "core/arena.h"
#include "core/error.h"
#include "guard/hit_guard.h"

enum {
  AIO__HIT_FACTS_MAX = 256,   /* numbers of a text, and dates: with more it is refused */
  AIO__HIT_QUOTES_MAX = 64,   /* quoted passages of a text: with more it is refused */
  AIO__HIT_QUOTE_BYTES = 200, /* a quotation mark without its other half so near is none */
  AIO__HIT_PROBE_MAX = 64,    /* tokens that are looked at to find one: further ones count as not there */
  AIO__HIT_EDGES_MAX = 48,    /* from-to and their like that are compared: the first so many */
  AIO__HIT_WORD_MAX = 64,     /* bytes of an entry */
  /* In a terse question every word counts; beside a brief one what it is about; a longer text says in passing what
   * another leaves out, or in other words. */
  AIO__HIT_TERSE = 12, /* tokens of both texts at most */
  AIO__HIT_BRIEF = 24, /* tokens of the shorter one at most */
  AIO__HIT_CHOICES_OF_WORD = 8
};

/* ---- words that the guards know ---------------------------------------------------------------------------------- */

#define AIO__HIT_ROLES(X)                                                                                             \
  X(FUNCTION) X(PREPOSITION) X(DETERMINER) X(AUXILIARY) X(LEAD) X(ASKING) X(COMMON) X(ABBREVIATION) X(LOOSE)                       \
  X(ENGLISH) X(FOREIGN) X(FOREIGN_WEAK)                                                                               \
  X(NUMBER) X(ORDINAL) X(SCALE) X(GLUED_SCALE) X(FRACTION) X(SOFT) X(UNIT) X(GLUED_UNIT) X(LOOSE_UNIT) X(MONEY) X(AGE)      \
  X(MONTH) X(WEEKDAY) X(AMBIGUOUS_DATE) X(BEFORE_DATE) X(DAY) X(STEP) X(PERIOD) X(TIME) X(AM) X(PM)                   \
  X(NEGATOR) X(NEGATIVE) X(HALF_NEGATIVE) X(KNOWING)                                                                  \
  X(RELATION) X(RELATION_VERB) X(SYMMETRIC) X(EVEN) X(QUESTION)                                                       \
  X(CHOICE) X(NAME) X(PARTICLE) X(FILE_ENDING) X(PHRASE) X(SPLIT)

enum {
#define X(name) AIO__HIT_ROLE_##name,
  AIO__HIT_ROLES(X)
#undef X
  AIO__HIT_ROLE_COUNT
};

#define AIO__HIT_HAS(entry, role) ((entry) != NULL && ((entry)->roles >> AIO__HIT_ROLE_##role & 1) != 0)

typedef struct aio__hit_entry {
  aio__str text; /* lower-case; words of a phrase with one space between them */
  uint64_t roles;
  uint64_t number;    /* of NUMBER, SCALE, GLUED_SCALE */
  uint32_t relations; /* bit 2 * group, or 2 * group + 1 when it is reversed */
  uint16_t ordinal, minute, question;
  uint8_t fraction, unit, month, weekday, day, step, period;
  uint8_t verbs; /* bit group: the verb that RELATION words of that group need before them */
  uint8_t words; /* of PHRASE: most words of a phrase that begins with it */
  uint8_t choices_n;
  uint16_t choices[AIO__HIT_CHOICES_OF_WORD];
} aio__hit_entry;

/* An alternative of a set: red in {red, blue, green}. */
typedef struct aio__hit_choice {
  uint16_t set;
  uint8_t guard; /* aio__hit_refusal */
} aio__hit_choice;

enum { AIO__HIT_UNITS_MAX = 255, AIO__HIT_GROUPS_MAX = 8, AIO__HIT_CHOICES_MAX = 8192, AIO__HIT_ALIASES_MAX = 8 };

typedef struct aio__hit_lexicon {
  const aio__alloc *al;
  aio__arena arena;
  aio__hit_entry *entries; /* malloc'd */
  size_t n, cap;
  uint16_t *slots;          /* malloc'd: 1 + index into entries; 0 is empty */
  size_t slots_n;           /* a power of two, at least twice n */
  aio__hit_choice *choices; /* malloc'd; 0 is none */
  size_t choices_n, choices_cap, sets_n;
  size_t units_n, groups_n;
  uint8_t year;             /* the unit */
  uint8_t alias[AIO__HIT_ALIASES_MAX][2]; /* units that may mean each other: pounds */
  size_t aliases_n;
  uint8_t groups_with_verb; /* bit group */
  uint8_t move;             /* the group of "from" and "to" */
} aio__hit_lexicon;

/* AIORCH_E_NOMEM, AIORCH_E_INTERNAL with the place in `error`. */
aiorch_status aio__hit_lexicon_new(const aio__alloc *al, aio__str json, aio__hit_lexicon *out, aiorch_error *error);
void aio__hit_lexicon_free(aio__hit_lexicon *lexicon);
/* `word` in lower case; NULL when it is not known. */
const aio__hit_entry *aio__hit_lexicon_find(const aio__hit_lexicon *lexicon, aio__str word, uint32_t hash);
/* The same of a word in any case; NULL also when it is longer than an entry can be. */
const aio__hit_entry *aio__hit_lexicon_find_written(const aio__hit_lexicon *lexicon, aio__str word);
/* The entry of a word under construction; NULL when out of memory or beyond the limits. */
aio__hit_entry *aio__hit_lexicon_put(aio__hit_lexicon *lexicon, aio__str word);
uint32_t aio__hit_hash(const char *p, size_t n);
bool aio__hit_units_equal(const aio__hit_lexicon *lexicon, uint64_t a, uint64_t b);

/* ---- a text in tokens -------------------------------------------------------------------------------------------- */

typedef enum aio__hit_kind {
  AIO__HIT_WORD,
  AIO__HIT_NUMBER, /* text: digits, perhaps with a point and a minus */
  AIO__HIT_CODE,   /* an identifier: path, address, version, foo_bar, fooBar, --flag, A1B2 */
  AIO__HIT_DATE,   /* 2024-05-03, 3/25/2024 */
  AIO__HIT_CLOCK,  /* 12:30 */
  AIO__HIT_RATIO   /* 1/2 */
} aio__hit_kind;

enum {
  AIO__HIT_STARTS = 1, /* the first of a sentence */
  AIO__HIT_ENDS = 2,   /* the last of one */
  AIO__HIT_COMMA = 4,  /* a comma, bracket or colon follows */
  AIO__HIT_CAPITAL = 8,
  AIO__HIT_CAPS = 16,  /* two letters or more, all of them capitals */
  AIO__HIT_GLUED = 32, /* follows the one before without a space: km in 5km */
  AIO__HIT_QUOTED = 64,
  AIO__HIT_TH = 128,      /* a number with st, nd, rd, th */
  AIO__HIT_DECADE = 256,  /* 1990s */
  AIO__HIT_USED = 512,    /* a part of a date: no number any more */
  AIO__HIT_LOWER = 1024,  /* has a lower-case letter */
  AIO__HIT_MEASURE = 2048 /* the unit of a number: no alternative to others by itself */
};

typedef struct aio__hit_token {
  aio__str text;               /* lower-case, without possessive s and thousands separators */
  aio__str written;            /* where it stands, as it is written */
  const aio__hit_entry *entry; /* NULL: not known */
  uint32_t hash;               /* of text */
  uint32_t next;               /* the next token with this text, plus 1 */
  uint16_t flags;
  uint8_t kind;
} aio__hit_token;

typedef struct aio__hit_quote {
  uint32_t first, end; /* tokens */
  bool code;           /* by backticks */
} aio__hit_quote;

/* A number, a quantity or a date. Equal facts have equal a and b. */
typedef struct aio__hit_fact {
  uint64_t a, b;
  uint64_t unit;        /* of a number: 0 is none */
  uint32_t first, last; /* tokens */
  uint32_t about;       /* hash of the word that a number counts; 0 is none */
  bool soft;            /* one, first, half: that only one text has it means nothing */
  bool spelled;         /* in words: soft in a text that is not brief */
  bool passing;         /* today, last week: soft in a text that is not terse */
} aio__hit_fact;

typedef struct aio__hit_facts {
  aio__hit_fact *fact;
  size_t n, cap;
  bool full; /* there were more */
} aio__hit_facts;

typedef struct aio__hit_text {
  aio__str written;
  aio__hit_token *tokens;
  uint32_t n;
  uint32_t *table; /* 1 + index of a token; 0 is empty */
  uint32_t mask;
  aio__hit_quote quotes[AIO__HIT_QUOTES_MAX];
  size_t quotes_n;
  bool quotes_full;
  bool flat; /* written all in capitals, in lower case, or As A Title: capitals say nothing */
  aio__hit_facts numbers, dates;
} aio__hit_text;

/* A chunk without white space is built like one: a path, an address, foo_bar, --flag, INV-2023-001. Not empty. */
bool aio__hit_is_identifier(const aio__hit_lexicon *lexicon, aio__str chunk);
/* How many tokens a text has at most: one begins with a sign, or where letters follow something else, or digits do. */
size_t aio__hit_tokens_at_most(aio__str text);
/* The tokens and quotes of out->written; `low` has room for it in lower case. */
void aio__hit_tokens_read(const aio__hit_lexicon *lexicon, char *low, aio__hit_text *out);
/* AIORCH_OK, AIORCH_E_NOMEM. `text` lives as long as the result. */
aiorch_status aio__hit_text_read(const aio__hit_lexicon *lexicon, aio__arena *arena, aio__str text, aio__hit_text *out);
/* The first token with this text, or NULL. */
const aio__hit_token *aio__hit_text_find(const aio__hit_text *text, aio__str word, uint32_t hash);
static inline bool aio__hit_is_n(const aio__hit_token *token, const char *word, size_t n) {
  return token->text.n == n && memcmp(token->text.p, word, n) == 0;
}
#define aio__hit_is(token, literal) aio__hit_is_n((token), (literal), sizeof(literal) - 1)
/* The token has a meaning of its own: no article, no pronoun, no preposition. */
static inline bool aio__hit_is_content(const aio__hit_token *token) {
  return !AIO__HIT_HAS(token->entry, FUNCTION);
}

/* Dates first: they take numbers out (AIO__HIT_USED). */
void aio__hit_dates_find(aio__hit_text *text);
void aio__hit_numbers_find(aio__hit_text *text);
/* The parts of a token that is a date; false when it is none. month 0: cannot be told from the day (`day` is then 32 *
 * first + second). */
bool aio__hit_date_parts(aio__str text, unsigned *year, unsigned *month, unsigned *day);

/* The tokens but articles and the like: what order and wording are about. False: out of memory. */
typedef struct aio__hit_sequence {
  const aio__hit_text *text;
  uint32_t *token;
  size_t n;
} aio__hit_sequence;

bool aio__hit_sequence_read(const aio__hit_text *text, aio__arena *arena, aio__hit_sequence *out);
/* `n` tokens from i on in the one, from k on in the other, are the same words. */
bool aio__hit_sequence_same(const aio__hit_sequence *a, size_t i, const aio__hit_sequence *b, size_t k, size_t n);
/* The same word, or another ending of it: decode, decoding. */
bool aio__hit_akin(aio__str a, aio__str b);
bool aio__hit_ends_in_nt(const aio__hit_token *token); /* don't, isn't */

/* ---- comparing --------------------------------------------------------------------------------------------------- */

typedef struct aio__hit_pair {
  const aio__hit_lexicon *lexicon;
  const aio__hit_text *question, *kept;
  uint8_t *marks;   /* for each choice: 1 the question has it, 2 the kept one, 3 both */
  uint32_t *rivals; /* for each set: 1 + the token of the kept one whose choice the question lacks; 0 is none */
  bool terse, brief;
  aio__hit_finding *finding;
} aio__hit_pair;

/* Each says whether it refuses, and has then filled in the finding. */
bool aio__hit_compare_numbers(aio__hit_pair *pair);
bool aio__hit_compare_dates(aio__hit_pair *pair);
bool aio__hit_compare_units(aio__hit_pair *pair);
bool aio__hit_compare_negation(aio__hit_pair *pair);
bool aio__hit_compare_identifiers(aio__hit_pair *pair);
bool aio__hit_compare_order(aio__hit_pair *pair, aio__arena *arena, aiorch_status *status);
bool aio__hit_compare_names(aio__hit_pair *pair);
bool aio__hit_compare_choices(aio__hit_pair *pair, aio__hit_refusal guard);
bool aio__hit_compare_questions(aio__hit_pair *pair);
bool aio__hit_compare_words(aio__hit_pair *pair, aio__arena *arena, aiorch_status *status);
bool aio__hit_compare_length(aio__hit_pair *pair);

/* What the finding says: pieces of the question, then ", ", then pieces of the kept one; cut to its limit. */
typedef struct aio__hit_detail {
  char *out;
  size_t n;
  bool any; /* of this side */
} aio__hit_detail;

void aio__hit_detail_begin(aio__hit_pair *pair, aio__hit_refusal guard, aio__hit_detail *detail);
void aio__hit_detail_add(aio__hit_detail *detail, aio__str piece);
void aio__hit_detail_tokens(aio__hit_detail *detail, const aio__hit_text *text, uint32_t first, uint32_t last);
void aio__hit_detail_turn(aio__hit_detail *detail); /* from here on the kept one */
void aio__hit_detail_end(aio__hit_detail *detail);

#endif
