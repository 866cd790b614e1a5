#include "pages.h"

#include <stdio.h>

enum { VOCABULARY = 13 * 13 * 13, WORDS = 90 };

static void make_word(unsigned long n, char out[PAGE_WORD_MAX]) {
  static const char *const parts[] = {"ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi"};
  n = n * 2654435761UL % VOCABULARY;
  snprintf(out, PAGE_WORD_MAX, "%s%s%sn", parts[n % 13], parts[n / 13 % 13], parts[n / 169 % 13]);
}

void page_word(unsigned long page, char out[PAGE_WORD_MAX]) {
  make_word(page * 10, out);
}

size_t page_text(unsigned long page, char out[PAGE_MAX]) {
  char word[PAGE_WORD_MAX];
  size_t n = 0;
  for (unsigned long w = 0; w < WORDS; w++) {
    make_word(page * 10 + w * w, word);
    n += (size_t)snprintf(out + n, PAGE_MAX - n, "%s%s", word, w % 9 == 8 ? ". " : " ");
  }
  return n;
}
