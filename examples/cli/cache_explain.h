/*
 * Why a question is, or is not, answered from the cache.
 */
#ifndef CACHE_EXPLAIN_H
#define CACHE_EXPLAIN_H

#include "cli.h"

/* aiorch cache explain TEXT: the nearest kept questions with their similarity and what each guard says. */
int cache_explain(cli *c);
/* aiorch cache pairs -: two questions a line, would the one be answered by what was kept for the other? */
int cache_pairs(cli *c);

#endif
