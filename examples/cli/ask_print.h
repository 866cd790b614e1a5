/* What 'ask' shows to people. */
#ifndef ASK_PRINT_H
#define ASK_PRINT_H

#include "cli.h"

/* The answer (but for what was streamed: `printed` bytes), its sources and figures. */
void ask_print_answer(const cli *c, aiorch_run *run, size_t printed);
/* The object of aiorch_run_preview. */
void ask_print_preview(const cli *c, const char *json, size_t len);

#endif
