/* The markers of an answer, "[1]" or "[1, 3]", against the sources that there are. Pure. */
#ifndef AIO_GENERATE_CITATIONS_H
#define AIO_GENERATE_CITATIONS_H

#include "core/str.h"

typedef struct aio__citations {
  int64_t valid;         /* markers of a source that exists */
  int64_t unknown;       /* markers of none */
  int64_t first_unknown; /* its number */
} aio__citations;

/* Numbers of up to three digits between brackets count, outside of code (backticks, fences), and not as the text of a link. */
aio__citations aio__citations_count(aio__str text, size_t sources);

#endif
