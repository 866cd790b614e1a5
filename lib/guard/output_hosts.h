/* The hosts that an answer may name in its URLs: "example.com, *.example.org". Pure; the list is borrowed. */
#ifndef AIO_GUARD_OUTPUT_HOSTS_H
#define AIO_GUARD_OUTPUT_HOSTS_H

#include "guard/output_guard.h"

/* The first URL that ends after `from` and whose host is not in the list: rule "host", category "data_exfiltration", verdict BLOCK,
 * from its scheme to its end. Schemes are http, https, ws, wss and ftp, also left out ("//host" behind a quote or bracket). An empty
 * list: none is looked for. */
bool aio__output_hosts_find(aio__str allowed, aio__str text, size_t from, aio__output_finding *out);

#endif
