/*
 * Runs: text of scripts that put no space between words (Chinese, Japanese, and Korean, whose words carry their endings
 * with them). Such a text is found by any part of it, so each character of a run is a word, and each two neighbours are
 * one: "東京都" is 東, 東京, 京, 京都, 都. A question's run asks for its pairs, one of a single character for that.
 *
 * SQLite's unicode61 would keep a run as one word. So what is given to FTS5 is spread first: the words of a run with
 * spaces between, letters and digits of full width as those of ASCII.
 */
#ifndef AIO_STORES_FTS_RUNS_H
#define AIO_STORES_FTS_RUNS_H

#include "core/buf.h"
#include "core/str.h"

enum { AIO__FTS_RUN_BYTE = 0xE3 }; /* below it begins no character of a run in UTF-8, and none of full width */

/* Is it a character of a run? Ideographs, kana, hangul. */
bool aio__fts_is_run(uint32_t c);
/* The character of a run at *pos, and past it and the marks of sound behind it; 0, and nothing is moved, when there is
 * none. */
uint32_t aio__fts_run_next(aio__str text, size_t *pos);
/* A letter or digit of full width as the one of ASCII; all others stay. */
uint32_t aio__fts_half_width(uint32_t c);

/* Does spreading change it? */
bool aio__fts_has_runs(aio__str text);
/* Appends the text as it is given to FTS5. */
void aio__fts_spread(aio__str text, aio__buf *out);

#endif
