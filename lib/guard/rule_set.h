/*
 * Rules as data, shared by the input and the output guard: loaded from JSON, compiled once, matched with little work.
 *
 * {"rules": [{"id", "category", "language", "severity": "block"|"flag", "pattern", "needs", "why", ...}]}
 *
 * `needs` is a list of groups, each a list of literals. A rule is tried only where each of its groups has a literal and
 * these stand within `reach` bytes of each other (256 unless the rule says otherwise); the pattern is then matched
 * against that place and `reach` bytes to either side. A literal that begins with a letter or digit counts at the
 * beginning of a word only. A rule without `needs` is tried on the whole text.
 */
#ifndef AIO_GUARD_RULE_SET_H
#define AIO_GUARD_RULE_SET_H

#include "core/hash.h"
#include "guard/input_guard.h"
#include "text/pattern.h"

enum {
  AIO__RULES_MAX = 512,
  AIO__RULE_GROUPS_MAX = 8,
  AIO__RULES_BYTES_MAX = 1 << 20,
  AIO__RULE_PATTERN_MAX = 4096,
  AIO__RULE_ID_MAX = 64,
  AIO__RULE_REACH = 256,
  AIO__RULE_REACH_MAX = 8192
};

typedef struct aio__rule {
  const char *id, *category, *language, *why;
  aio__verdict severity;
  aio__pattern *pattern;   /* NULL: a rule about hidden characters */
  aio__str source;         /* of the pattern */
  uint8_t groups;          /* of needs */
  uint32_t reach;
  uint32_t min_entropy;    /* hundredths of a bit a character that a match must have; 0: any */
  uint32_t min_hidden, min_hidden_run, min_hidden_tags; /* 0: not asked */
} aio__rule;

typedef struct aio__rule_set aio__rule_set;
typedef struct aio__rule_scan aio__rule_scan; /* the scratch of one check; pooled in the set */

typedef struct aio__rule_file {
  const char *name; /* how messages call it */
  aio__str text;
} aio__rule_file;

/* Later files extend earlier ones or replace their rules by id. With `spell`, patterns and literals are spelled as
 * PLAIN spells text. AIORCH_OK, AIORCH_E_CONFIG, AIORCH_E_NOMEM. */
aiorch_status aio__rule_set_new(const aio__alloc *al, const aio__rule_file *files, size_t n, bool spell,
                                aio__rule_set **out, aiorch_error *error);
void aio__rule_set_free(aio__rule_set *set);
size_t aio__rule_set_count(const aio__rule_set *set);
const aio__rule *aio__rule_set_at(const aio__rule_set *set, size_t i);
/* Is there a rule that is tried on any text? */
bool aio__rule_set_needs_nothing(const aio__rule_set *set);
/* Behind the begin of the last literal of a rule in the text; 0: there is none. */
size_t aio__rule_set_last_literal(const aio__rule_set *set, aio__str text);
/* Hex SHA-256 of the files. */
const char *aio__rule_set_version(const aio__rule_set *set);

/* Takes a scan from the pool or makes one; NULL when out of memory. Any thread. */
aio__rule_scan *aio__rule_scan_get(const aio__rule_set *set);
void aio__rule_scan_put(const aio__rule_set *set, aio__rule_scan *scan);
/* Looks for the literals of all rules in valid UTF-8, which is borrowed until the next call. */
void aio__rule_scan_text(aio__rule_scan *scan, aio__str text);
/* The first match of rule `i` in that text that ends after `after` and begins at or after `from`. */
aio__match aio__rule_scan_match(aio__rule_scan *scan, size_t i, size_t from, size_t after, size_t *start, size_t *end);

#endif
