/*
 * Reads the body of a request: JSON (RFC 8259) as a tree that lends from the body. Texts without escapes and the source of every value
 * are pieces of the body itself, so that a schema goes on as it was written and a picture is copied by nobody here.
 *
 * Strict: structure, numbers and UTF-8 as the RFC wants them, at most BODY_DEPTH_MAX deep and BODY_NODES_MAX values, so that a hostile
 * body costs little more than its own size. Half a surrogate pair becomes U+FFFD; the name of a member has no NUL, so that no reader ends it early.
 */
#ifndef BODY_JSON_H
#define BODY_JSON_H

#include "cli.h"

enum { BODY_DEPTH_MAX = 64, BODY_NODES_MAX = 200000, BODY_BYTES_MAX = 256 << 20, BODY_NODES_A_BLOCK = 64 };

typedef enum body_type { BODY_NULL, BODY_BOOL, BODY_NUMBER, BODY_TEXT, BODY_ARRAY, BODY_OBJECT } body_type;

typedef struct body_node {
  body_type type;
  bool truth;
  const char *raw; /* as it stands in the body */
  size_t raw_len;
  const char *text; /* BODY_TEXT: decoded, without a NUL byte behind it */
  size_t len;
  const char *name; /* as a member of an object */
  size_t name_len;
  const struct body_node *child, *next;
} body_node;

typedef struct body_block {
  struct body_block *before;
  size_t used;
  body_node nodes[BODY_NODES_A_BLOCK];
} body_block;

typedef struct body_json {
  const body_node *root;
  const char *wrong; /* what was wrong, a static text; NULL when nothing was */
  size_t where;      /* at which byte */
  body_block *blocks;
  char *decoded; /* texts that had escapes */
  size_t decoded_used, count;
} body_json;

/* `text` is lent until body_free. False when it is not JSON: see `wrong` and `where`. body_free is needed in any case. */
bool body_parse(body_json *b, const char *text, size_t len);
void body_free(body_json *b);

/* A member of an object, of two with one name the last; NULL when there is none, or when it is null. */
const body_node *body_get(const body_node *object, const char *name);
/* The same when it is a text, else NULL. */
const body_node *body_get_text(const body_node *object, const char *name);
bool body_is(const body_node *node, const char *text);      /* a text, this one */
bool body_named(const body_node *member, const char *name); /* its key */
/* A whole number that int64_t holds, also when written "5.0". */
bool body_i64(const body_node *node, int64_t *out);
/* Decimal digits, independent of the locale; false above what a double holds exactly enough for a setting. */
bool body_f64(const body_node *node, double *out);
/* How many elements or members. */
size_t body_count(const body_node *node);

#endif
