/*
 * JSON lines from stdin, for commands that answer line by line: a whole line at a time, without waiting for more while
 * there is something to answer.
 */
#ifndef LINES_H
#define LINES_H

#include "cli.h"

typedef struct lines {
  int fd;
  cli_bytes buffer;
  size_t at;       /* what is before it was given out */
  size_t number;   /* of the line given last, from 1 */
  bool ended, skipping;
  int error;       /* errno of a read that failed */
} lines;

typedef enum lines_result { LINES_LINE, LINES_TOO_LONG, LINES_END } lines_result;

/* The next line that is not blank, without its end; valid until the next call. Waits for it. */
lines_result lines_next(lines *l, const char **line, size_t *len);
/* Would lines_next give something without waiting? */
bool lines_ready(lines *l);
void lines_free(lines *l);

/* The members `names` (up to one that is NULL) of the object that the line is, each a text: the object, which the texts
 * are borrowed from, or NULL and in `why` what is wrong. */
json_value *lines_texts(const char *line, size_t len, const char *const *names, const json_value **texts, cli_bytes *why);
void lines_too_long(cli_bytes *why);
int lines_failed(cli *c, const lines *l); /* prints; gives the exit code */

#endif
