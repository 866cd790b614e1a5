/*
 * Pages to retrieve, in made-up words of which each stands in a few, and the word that a question about a page has.
 */
#ifndef BENCH_PAGES_H
#define BENCH_PAGES_H

#include <stddef.h>

enum { PAGES = 200, PAGE_MAX = 1200, PAGE_WORD_MAX = 16 };

/* The text of a page; its length. */
size_t page_text(unsigned long page, char out[PAGE_MAX]);
/* Its first word. */
void page_word(unsigned long page, char out[PAGE_WORD_MAX]);

#endif
