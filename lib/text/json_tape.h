/*
 * JSON that came over a wire or out of the library's own store, read in one pass into a flat list of nodes that is used again
 * for the next text: after the first few texts nothing is allocated any more. The nodes point into the text, which must stay
 * until the last of them was asked.
 *
 * The grammar is that of RFC 8259. Where services differ from it in ways that do not matter, this reader gives way, and json.h
 * (for files and requests) does not: of members that come twice the last counts, half a surrogate pair and bytes that are not
 * UTF-8 become U+FFFD when a string is decoded, and so does NUL, which the rest of the library does not carry.
 */
#ifndef AIO_TEXT_JSON_TAPE_H
#define AIO_TEXT_JSON_TAPE_H

#include "core/buf.h"
#include "text/json.h"

enum { AIO__TAPE_BYTES_MAX = 64 << 20, AIO__TAPE_NODES_MAX = 16 << 20 };

typedef struct aio__tape_node {
  uint32_t start, len; /* its text; of a string what stands between the quotes */
  uint32_t next;       /* the node after its last descendant */
  uint8_t type;        /* aio__json_type */
  bool escaped;        /* a string with backslashes */
} aio__tape_node;

typedef struct aio__tape {
  const aio__alloc *al;
  aio__str text;
  aio__tape_node *nodes;
  size_t count, cap;
  size_t fault;        /* where the reading stopped */
} aio__tape;

/* A value of the tape: the index of its node. Members are pairs: the node of the name, then that of the value. */
typedef uint32_t aio__tape_value;
#define AIO__TAPE_ROOT 0u
#define AIO__TAPE_NONE UINT32_MAX /* what is not there; every question about it is answered with no */

void aio__tape_init(aio__tape *tape, const aio__alloc *al);
void aio__tape_free(aio__tape *tape);
/* AIORCH_OK; AIORCH_E_TRUNCATED: the text ends before its value does; AIORCH_E_RESPONSE: it is no JSON; AIORCH_E_TOO_LARGE: above
 * a limit of bytes, nodes, or AIO__JSON_MAX_DEPTH levels; AIORCH_E_NOMEM. After a failure the tape is empty. */
aiorch_status aio__tape_read(aio__tape *tape, aio__str text);

aio__json_type aio__tape_typeof(const aio__tape *tape, aio__tape_value value); /* AIO__JSON_NULL for what is not there */
/* Member of an object: the last of that name. */
aio__tape_value aio__tape_member(const aio__tape *tape, aio__tape_value object, const char *key, size_t key_len);
#define AIO__TAPE_GET(tape, object, literal) aio__tape_member((tape), (object), (literal), sizeof(literal) - 1)
/* Children in order: elements, or the values of members. */
aio__tape_value aio__tape_first(const aio__tape *tape, aio__tape_value container);
aio__tape_value aio__tape_next(const aio__tape *tape, aio__tape_value container, aio__tape_value child);
size_t aio__tape_size(const aio__tape *tape, aio__tape_value container);
/* The name of a member, as it stands between its quotes. */
aio__str aio__tape_name(const aio__tape *tape, aio__tape_value member);

/* The text of the value as it came, with quotes and brackets. */
aio__str aio__tape_raw(const aio__tape *tape, aio__tape_value value);
bool aio__tape_is(const aio__tape *tape, aio__tape_value value, const char *text); /* a string that says just this */
bool aio__tape_true(const aio__tape *tape, aio__tape_value value);
bool aio__tape_i64(const aio__tape *tape, aio__tape_value value, int64_t *out);    /* whole, at most 2^53 either way */
bool aio__tape_f32(const aio__tape *tape, aio__tape_value value, float *out);      /* finite */
bool aio__tape_f64(const aio__tape *tape, aio__tape_value value, double *out);     /* finite; may be off by one unit in the last place */

/*
 * What a string says. Lies in the text where it can, else in `scratch`, whose content is replaced. Empty for what is no string.
 *
 * `half` carries half a surrogate pair from one text to the next, for characters that a service splits over two deltas: 0 at
 * first; with one pending the string is decoded behind it. NULL: a half is U+FFFD at once. AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE.
 */
aiorch_status aio__tape_str(const aio__tape *tape, aio__tape_value value, uint16_t *half, aio__buf *scratch, aio__str *out);

#endif
