/* A borrowed piece of text, and the few questions that are asked about it. */
#ifndef AIO_CORE_STR_H
#define AIO_CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct aio__str {
  const char *p; /* never NULL when n > 0 */
  size_t n;
} aio__str;

#define AIO__LIT(literal) ((aio__str){(literal), sizeof(literal) - 1})

aio__str aio__str_z(const char *text);               /* NULL gives the empty text */
aio__str aio__str_n(const char *text, size_t len);
bool aio__str_eq(aio__str a, aio__str b);
bool aio__str_eqz(aio__str a, const char *b);
int aio__str_cmp(aio__str a, aio__str b);            /* bytewise, as memcmp */
bool aio__str_starts(aio__str text, aio__str prefix);
aio__str aio__str_trim(aio__str text);               /* ASCII white space at both ends */
int aio__hex_value(char c);                          /* of a hexadecimal digit; -1: it is none */
int32_t aio__hex4(const char *p, const char *end);   /* of the four hexadecimal digits at p, as escapes of JSON have them; -1 */

/* Nothing but the 64 digits of base64 (RFC 4648, section 4), so neither padding nor line ends; eight at a time, since
 * pictures have megabytes of them. */
bool aio__str_base64(aio__str text);

/* Decodes the character at `*pos` and moves `*pos` past it; UINT32_MAX for bytes that are not UTF-8 (moves past 1). */
uint32_t aio__utf8_next(aio__str text, size_t *pos);
/* Writes 1 to 4 bytes; 0 for what is no scalar value. */
size_t aio__utf8_put(uint32_t code_point, char out[4]);
/* The first byte that is not part of valid UTF-8 (no overlongs, no surrogates), or text.n when all is valid. Counts
 * code points up to there into *code_points when it is not NULL. Runs of ASCII are read a word at a time. */
size_t aio__utf8_check(aio__str text, size_t *code_points);
/* The largest cut <= max that splits no character of valid UTF-8. */
size_t aio__utf8_cut(aio__str text, size_t max);

#endif
