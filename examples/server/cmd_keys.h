/*
 * The command that the command line has of the server's keys.
 */
#ifndef CMD_KEYS_H
#define CMD_KEYS_H

struct cli;

int command_keys(struct cli *c);

#endif
