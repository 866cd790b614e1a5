/* How many tokens a text is, by an estimate: the formula and its measured error stand in tokens.c and
 * docs/pipeline.md. */
#ifndef AIO_TEXT_TOKENS_H
#define AIO_TEXT_TOKENS_H

#include "core/str.h"

size_t aio__tokens_estimate(aio__str text);
/* The longest prefix of at most max_tokens, in bytes: it splits no character, and no word when it can be helped. 0 when
 * not even the first character fits. */
size_t aio__tokens_cut(aio__str text, size_t max_tokens);

#endif
