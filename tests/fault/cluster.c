#include "cluster.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORDS_MAX = 32, PATH_SIZE = 4096 };

void cluster_die(const char *what, const char *why) {
  printf("FAILED: %s: %s\n", what, why);
  exit(1);
}

void cluster_enter(char **argv, const char *const *options) {
  const char *root = getenv("AIORCH_ROOT"), *python = getenv("AIORCH_PYTHON");
  char script[PATH_SIZE];
  const char *words[WORDS_MAX] = {"python3", script};
  size_t n = 2;
  if (getenv("AIORCH_TEST_POSTGRES") != NULL) return;
  snprintf(script, sizeof script, "%s/tests/postgres/cluster.py", root != NULL ? root : ".");
  for (size_t i = 0; options[i] != NULL && n < WORDS_MAX - 2; i++) words[n++] = options[i];
  words[n++] = "--";
  for (size_t i = 0; argv[i] != NULL && n < WORDS_MAX - 1; i++) words[n++] = argv[i];
  (void)fflush(stdout);
  execvp(python != NULL ? python : "python3", (char **)(uintptr_t)words);
  perror(script);
  exit(1);
}

const char *cluster_variable(const char *name) {
  const char *value = getenv(name);
  if (value == NULL) cluster_die(name, "is not set");
  return value;
}

static void no_notice(void *ctx, const PGresult *result) {
  (void)ctx;
  (void)result;
}

void cluster_no_notices(PGconn *pg) {
  (void)PQsetNoticeReceiver(pg, no_notice, NULL);
}

PGconn *cluster_admin(void) {
  PGconn *pg = PQconnectdb(cluster_variable("AIORCH_TEST_POSTGRES_ADMIN"));
  cluster_no_notices(pg);
  return pg;
}
