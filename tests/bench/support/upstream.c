#include "upstream.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static FILE *server_in; /* it ends when this is closed */
static pid_t server;

int upstream_start(const char *self, bool pinned) {
  int in[2], out[2], port = 0;
  char path[1024];
  const char *slash = strrchr(self, '/');
  snprintf(path, sizeof path, "%.*s/support/instant_server", slash ? (int)(slash - self) : 1, slash ? self : ".");
  if (pipe(in) != 0 || pipe(out) != 0) abort();
  server = fork();
  if (server == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    close(in[1]);
    if (pinned) execl(path, path, "--cpu", "1", (char *)NULL);
    else execl(path, path, (char *)NULL);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  server_in = fdopen(in[1], "w");
  FILE *from = fdopen(out[0], "r");
  if (!from || fscanf(from, "%d", &port) != 1) {
    fprintf(stderr, "%s does not start\n", path);
    exit(1);
  }
  fclose(from);
  return port;
}

void upstream_stop(void) {
  fclose(server_in);
  waitpid(server, NULL, 0);
}

void upstream_pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}
