/* Where the keys of a provider come from: a variable of the environment, a file, an option. Never the keys themselves. */
#ifndef KEY_ORIGIN_H
#define KEY_ORIGIN_H

#include "cli.h"

/* Appends "ANTHROPIC_API_KEY", "OPENAI_KEY_A in ~/aiorch.json", "aiorch.json", "--set", one after the other by ", "; nothing when no
 * place is known that sets "providers.NAME.key". */
void key_origin(const cli *c, const char *provider, cli_bytes *out);

/* After --config was read: where that file gives a provider an address and no key, a key that was set before is taken away again, and it
 * is said. It was meant for another address, and the file may be somebody else's. */
aiorch_status key_origin_guard(cli *c);

#endif
