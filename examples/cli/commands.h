/*
 * The commands, one file each; and what several of them print.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "cli.h"

int command_ask(cli *c);
int command_chat(cli *c);
int command_providers(cli *c);
int command_ingest(cli *c);
int command_search(cli *c);
int command_documents(cli *c);
int command_cache(cli *c);
int command_costs(cli *c);
int command_stats(cli *c);
int command_spool(cli *c);
int command_model(cli *c);
int command_embed(cli *c);
int command_reembed(cli *c);
int command_config(cli *c);
int command_migrate(cli *c);
int command_prune(cli *c);
int command_import(cli *c);
int command_stage(cli *c);
int command_screen(cli *c);
int command_version(cli *c);
int command_no_server(cli *c); /* "serve", where the build has no server */

/* The messages, filters and settings of a run as the options say. */
aiorch_status command_fill_run(const cli *c, aiorch_run *run, const cli_bytes *question);
/* A run that could not be made or filled: prints why, gives the exit code. */
int command_fail_run(cli *c, const aiorch_run *run, aiorch_status status);
/* The end of a run: its error on stderr, the run object with --json; gives the exit code. */
int command_finish_run(cli *c, aiorch_run *run);
/* A JSON text that the library returned: as it is with --json, else false. Frees nothing. */
bool command_print_json(const cli *c, const aiorch_text *text);
/* "PATH" as ingest names a source: absolute where such a file is, else as given. The caller frees it. */
char *command_source(const char *given);
/* Which of the words `words` (separated by spaces) the first argument is; -1 after a usage error. */
int command_verb(cli *c, const char *words);
/* cli_open with --model and --precision. `compares`: whether it goes by how near two texts must be. */
int command_open_model(cli *c, bool compares);
/* --threads, or how many processors there are. */
size_t command_threads(const cli *c);

#endif
