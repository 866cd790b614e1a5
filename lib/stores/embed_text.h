/*
 * What of a chunk is embedded: what it is about, said once, and its text.
 *
 * A chunk often begins with its own heading, whose words are the end of its path, which may begin with the title of the
 * document. An encoder that averages over all words would hear little else. So the first line is the title and the headings
 * of the path that do not repeat it, without the numbers that manuals put before them ("4.2. "), joined by ": "; and
 * headings that the text begins with are left out when they stand there.
 */
#ifndef AIO_STORES_EMBED_TEXT_H
#define AIO_STORES_EMBED_TEXT_H

#include "core/arena.h"
#include "core/str.h"

/* In the arena; .p NULL when out of memory. heading: the path, "Chapter > Section". */
aio__str aio__embed_text(aio__arena *arena, aio__str title, aio__str heading, aio__str text);

#endif
