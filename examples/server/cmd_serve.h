/*
 * The command that the command line has of the server.
 */
#ifndef CMD_SERVE_H
#define CMD_SERVE_H

struct cli;

int command_serve(struct cli *c);
/* Whose malloc this program has: "mimalloc", or "malloc", the C library's or a sanitizer's. */
const char *memory_allocator(void);

#endif
