/*
 * The word that somebody may have meant.
 */
#include "cli.h"

#include <string.h>

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Edits between two short words: letters put in, left out, changed, or two beside each other swapped. */
static size_t edits(const char *a, const char *b) {
  enum { WORD_MAX = 31 };
  size_t cost[WORD_MAX + 1][WORD_MAX + 1], la = strlen(a), lb = strlen(b);
  if (la > WORD_MAX || lb > WORD_MAX) return WORD_MAX;
  for (size_t i = 0; i <= la; i++) {
    for (size_t j = 0; j <= lb; j++) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      size_t best = smaller(smaller(cost[i - 1][j], cost[i][j - 1]) + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      cost[i][j] = swapped ? smaller(best, cost[i - 2][j - 2] + 1) : best;
    }
  }
  return cost[la][lb];
}

const char *cli_nearest(const char *word, const char *(*next)(size_t index, void *context), void *context) {
  const char *best = NULL, *candidate;
  size_t best_edits = strlen(word + strspn(word, "-")) / 3 + 2; /* more than a slip in three letters is another word */
  for (size_t i = 0; (candidate = next(i, context)) != NULL; i++) {
    size_t distance = edits(word, candidate);
    if (distance >= best_edits) continue;
    best_edits = distance;
    best = candidate;
  }
  return best;
}
