/* See http2_peer.h. */
#include "http2_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "text/json_tape.h"

enum { FIRST_FREE_FD = 3, LAST_FD = 64 };

static FILE *to_server, *from_server;
static pid_t server_pid;
static int port;

int http2_peer_port(void) {
  return port;
}

static int64_t number_of(const aio__tape *tape, const char *name) {
  int64_t n = -1;
  aio__tape_i64(tape, aio__tape_member(tape, AIO__TAPE_ROOT, name, strlen(name)), &n);
  return n;
}

static void read_server(char line[HTTP2_LINE], aio__tape *tape) {
  aio__tape_init(tape, aio__alloc_default());
  if (!fgets(line, HTTP2_LINE, from_server) || aio__tape_read(tape, aio__str_z(line)) != AIORCH_OK) {
    fprintf(stderr, "the server has gone\n");
    exit(1);
  }
}

bool http2_peer_start(char ca[HTTP2_LINE]) {
  const char *root = getenv("AIORCH_ROOT"), *folder = getenv("AIORCH_TEST_TMP");
  char script[1024], line[HTTP2_LINE];
  int in[2], out[2];
  aio__tape tape;
  if (!root || system("openssl version >/dev/null 2>&1") != 0 || system("node --version >/dev/null 2>&1") != 0) {
    printf("SKIP: needs AIORCH_ROOT, node and openssl\n");
    return false;
  }
  snprintf(script, sizeof script, "%s/tests/fault/http2_server.mjs", root);
  if (pipe(in) != 0 || pipe(out) != 0) abort();
  server_pid = fork();
  if (server_pid == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    for (int fd = FIRST_FREE_FD; fd < LAST_FD; fd++) close(fd);
    execlp("node", "node", script, folder ? folder : ".", (char *)NULL);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  to_server = fdopen(in[1], "w");
  from_server = fdopen(out[0], "r");
  read_server(line, &tape);
  port = (int)number_of(&tape, "port");
  aio__str path = aio__tape_raw(&tape, aio__tape_member(&tape, AIO__TAPE_ROOT, "ca", 2));
  snprintf(ca, HTTP2_LINE, "%.*s", (int)(path.n - 2), path.p + 1);
  aio__tape_free(&tape);
  return true;
}

void http2_peer_seen(int64_t *connections, int64_t *requests, int64_t *dropped) {
  char line[HTTP2_LINE];
  aio__tape tape;
  fprintf(to_server, "seen\n");
  fflush(to_server);
  read_server(line, &tape);
  *connections = number_of(&tape, "connections");
  *requests = number_of(&tape, "requests");
  *dropped = number_of(&tape, "dropped");
  aio__tape_free(&tape);
}

void http2_peer_end(void) {
  int status;
  fclose(to_server);
  fclose(from_server);
  (void)waitpid(server_pid, &status, 0);
}
