/* Reading lines of prices, for prices.c. */
#ifndef AIO_COST_PRICE_LINES_H
#define AIO_COST_PRICE_LINES_H

#include "core/arena.h"
#include "cost/prices.h"

/* Reads a file of prices. *lines lies in the arena. `name` is for messages. AIORCH_OK, AIORCH_E_CONFIG, AIORCH_E_NOMEM.
 * */
aiorch_status aio__price_lines_read(aio__arena *arena, aio__str json, const char *name, aio__price_line **lines,
                                    size_t *count, aiorch_error *error);

#endif
