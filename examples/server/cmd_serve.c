/*
 * aiorch serve: the endpoint that applications call.
 */
#include "cmd_serve.h"
#include "server.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

static int print_settings(const cli *c) {
  json_print p = {0};
  const server_setting *row;
  jp_open(&p, '[');
  for (size_t i = 0; (row = server_settings_row(i)) != NULL; i++) {
    if (!c->opt.json) {
      printf("%sserver.%s%s = %s", cli_on(c, STYLE_BOLD), row->name, cli_off(c), *row->standard ? row->standard : "\"\"");
      if (row->type == 'i') printf("  (%" PRId64 " to %" PRId64 ")", row->min, row->max);
      printf("\n    %s\n", row->help);
      continue;
    }
    jp_open(&p, '{');
    jp_kz(&p, "key", row->name);
    jp_kz(&p, "type", row->type == 's' ? "str" : row->type == 'b' ? "bool" : "i64");
    jp_kz(&p, "default", row->standard);
    if (row->type == 'i') {
      jp_ki64(&p, "min", row->min);
      jp_ki64(&p, "max", row->max);
    }
    jp_kz(&p, "help", row->help);
    jp_close(&p, '}');
  }
  jp_close(&p, ']');
  if (c->opt.json) jp_finish(&p);
  cli_release(&p.out);
  return CLI_EXIT_OK;
}

/* Before any thread is there, so that all have them blocked: they come by a descriptor. */
static void block_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
}

int command_serve(cli *c) {
  server s = {.cli = c};
  char why[1200] = "";
  int code;
  if (c->opt.settings) return print_settings(c);
  block_signals();
  memory_begin();
  s.handle = handle_open(c, &code, why);
  if (!s.handle) return *why ? cli_error(c, (cli_exit)code, AIORCH_E_CONFIG, "%s", why) : code;
  return server_run(&s);
}
