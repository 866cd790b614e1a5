/* Where sentences end: a rule for cutting what is too long, not a grammar. */
#ifndef AIO_TEXT_SENTENCE_H
#define AIO_TEXT_SENTENCE_H

#include "core/str.h"

/* The end of the sentence that begins at `pos`: behind '.', '!' or '?' (and closing quotes and brackets) where white
 * space and no lower-case letter follows, behind their full-width forms, or at an empty line; else text.n. White space
 * that follows belongs to the sentence. Each byte is looked at once. */
size_t aio__sentence_end(aio__str text, size_t pos);

#endif
