/*
 * aiorch version: of the library, and what this build of it can do.
 */
#include "commands.h"

#ifdef CLI_WITH_SERVER
#include "cmd_serve.h"
#else
static const char *memory_allocator(void) { return "malloc"; }
#endif

int command_version(cli *c) {
  const char *name;
  if (c->opt.json || c->opt.stream_json) {
    json_print p = {0};
    jp_open(&p, '{');
    jp_kz(&p, "version", aiorch_version_string());
    jp_key(&p, "features");
    jp_open(&p, '[');
    for (size_t i = 0; (name = aiorch_feature_name(i)) != NULL; i++) jp_z(&p, name);
    jp_close(&p, ']');
    jp_kz(&p, "allocator", memory_allocator());
    jp_close(&p, '}');
    jp_finish(&p);
    return CLI_EXIT_OK;
  }
  printf("aiorch %s\n", aiorch_version_string());
  if (c->opt.quiet) return CLI_EXIT_OK;
  fputs("features:", stdout);
  for (size_t i = 0; (name = aiorch_feature_name(i)) != NULL; i++) printf(" %s", name);
  printf("\nallocator: %s\n", memory_allocator());
  return CLI_EXIT_OK;
}
