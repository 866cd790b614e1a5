/*
 * The settings of the server as they were told: in files, and on the command line.
 */
#include "server_settings.h"

#include <stdlib.h>
#include <string.h>

/* The file of the environment, that of the command line, then what was set there. */
bool server_settings_told(server_settings *settings, const cli *told, char why[256]) {
  static const char section[] = "server.";
  const char *file = getenv("AIORCH_CONFIG");
  server_settings_init(settings);
  if (file && *file && !server_settings_file(settings, file, why)) return false;
  if (told->opt.config && !server_settings_file(settings, told->opt.config, why)) return false;
  for (size_t i = 0; i < told->opt.set.count; i++) {
    const char *value = NULL;
    size_t name_len = 0;
    if (strncmp(told->opt.set.items[i], section, sizeof section - 1) != 0 || !cli_pair(told->opt.set.items[i], &value, &name_len)) continue;
    char *name = cli_copy(told->opt.set.items[i] + sizeof section - 1, name_len - (sizeof section - 1));
    bool good = server_settings_set(settings, name, value, why);
    free(name);
    if (!good) return false;
  }
  return !told->opt.listen || server_settings_set(settings, "listen", told->opt.listen, why);
}
