/*
 * The table of what goes wrong on the network (network_faults.json), and the server that plays it (fault_server.py) as a child
 * process. Reading is safe from several threads once both are there.
 */
#ifndef AIO_TESTS_FAULT_TABLE_H
#define AIO_TESTS_FAULT_TABLE_H

#include "text/json_tape.h"

extern aio__tape fault_table, fault_places; /* the table; what the server said of its rows */

/* Reads the table and starts the server; false, with a line "SKIP: ...", when this machine has not what it needs. */
bool fault_begin(void);
void fault_end(void);
/* What the server of a row has seen, in a tape that the caller frees. One thread at a time. */
void fault_seen(const char *name, aio__tape *seen);
/* Whether this program or the server has stood still for a moment since then (of aio__clock_system), as on a busy machine: what a row with limits
 * of time came to says nothing then. Not together with fault_seen; else on any thread. */
bool fault_stood_still(int64_t since_ns);
/* From now on the server waits twice as long where an answer's row says "wait". On any thread. */
void fault_slow_down(void);

/* Of the table. A text ends in NUL and lies in `into`, which is made here and is the caller's to free; "" when there is none. */
aio__tape_value fault_member(aio__tape_value object, const char *name);
int64_t fault_number(aio__tape_value object, const char *name); /* 0 when there is none */
const char *fault_text(aio__tape_value object, const char *name, aio__buf *into);
/* Where a row is served: its port, and whether behind TLS. `name` may end in "/tls". */
int fault_port(const char *name, bool *tls);
/* A text that the server said: "ca", "answer". As fault_text. */
const char *fault_said(const char *name, aio__buf *into);

#endif
