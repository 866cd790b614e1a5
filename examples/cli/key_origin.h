/* Where the keys of a provider come from: a variable of the environment, a file, an option. Never the keys themselves. */
#ifndef KEY_ORIGIN_H
#define KEY_ORIGIN_H

#include "cli.h"

/* Appends "ANTHROPIC_API_KEY", "OPENAI_KEY_A in ~/aiorch.json", "aiorch.json", "--set", one after the other by ", "; nothing when no
 * place is known that sets "providers.NAME.key". */
void key_origin(const cli *c, const char *provider, cli_bytes *out);

#endif
