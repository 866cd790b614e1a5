/*
 * Lines that somebody types at a prompt, or a program sends. With libedit at build time a line on a terminal can be edited, and earlier
 * ones come back with the arrow keys; else the terminal's own means are all there is.
 */
#ifndef LINE_EDIT_H
#define LINE_EDIT_H

#include "cli.h"

typedef struct line_edit line_edit;

/* `prompt`: "" for none. */
line_edit *line_edit_new(const cli *c, const char *prompt);
/* The next line that is not blank, without its end; valid until the next call. False at the end, and when Ctrl-C came. */
bool line_edit_next(line_edit *l, const char **line, size_t *len);
int line_edit_error(const line_edit *l); /* errno of a read that failed, else 0 */
void line_edit_free(line_edit *l);

#endif
