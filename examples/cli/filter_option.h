/*
 * What --filter says: NAME=VALUE, NAME=FROM..TO (either end may be left out), NAME=BEGIN*, and NAME==VALUE for a value
 * that would read as one of these.
 */
#ifndef FILTER_OPTION_H
#define FILTER_OPTION_H

#include "cli.h"

aiorch_status filter_add(aiorch_run *run, const char *given);
/* All filters as the JSON object that a search takes; NULL when there are none. The caller frees it. */
char *filter_json(const cli_list *given);

#endif
