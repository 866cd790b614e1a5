/*
 * Whole runs over HTTP/2 (http.version "2"), by a server that speaks nothing else (http2_server.mjs): answers of two families, as streams
 * and in one piece, whole and cut in six ways. libcurl takes some of them for whole; the codec has to see that they are not.
 *
 *   http2_runs [--rounds N]     needs node and openssl
 *
 * What must hold: what is whole is given, word by word; what was cut is an error with words, and what was given of it before is how the
 * answer begins; with http.version "1.1" nothing is given at all, so what was given came over HTTP/2.
 *
 * label: threads
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <aiorch/aiorch.h>

#include "http2_peer.h"
#include "support/http_client.h"

enum { ROUNDS = 3, WATCHDOG_S = 60, ANSWER_MAX = 8192, WORDS = 60, FAMILIES = 2 };

static const char *const CUTS[] = {"well", "goaway", "ended", "middle", "calm", "reset", "broken"};
enum { CUTS_COUNT = sizeof CUTS / sizeof CUTS[0], WHOLE_CUTS = 2 };
static const char *const APIS[FAMILIES] = {"openai", "anthropic"};

static char whole[ANSWER_MAX];
static int bad;

static void check(aiorch_status status, const aiorch_error *error) {
  if (status == AIORCH_OK) return;
  printf("  FAILED: %s: %s\n", aiorch_status_name(status), error ? aiorch_error_message(error) : "");
  exit(1);
}

/* A provider for each cut. */
static aiorch *open_orch(const char *ca, const char *version, const char *api, bool stream) {
  char json[8192];
  aiorch_config *config;
  aiorch_error *error;
  aiorch *orch = NULL;
  int n = snprintf(json, sizeof json,
                   "{\"store\": \"memory\", \"http.version\": \"%s\", \"http.ca_file\": \"%s\", \"cache.mode\": \"off\", \"rate_limit.requests\": 0,"
                   " \"generate.attempts\": 1, \"generate.breaker_failures\": 1000, \"deadline_ms\": 20000, \"providers\": {",
                   version, ca);
  for (int i = 0; i < CUTS_COUNT; i++)
    n += snprintf(json + n, sizeof json - (size_t)n,
                  "%s\"%s\": {\"api\": \"%s\", \"model\": \"m\", \"key\": \"k\", \"context_tokens\": 100000, \"stream\": %s, \"base_url\":"
                  " \"https://127.0.0.1:%d/ask/%s%s\"}",
                  i > 0 ? ", " : "", CUTS[i], api, stream ? "true" : "false", http2_peer_port(), CUTS[i], strcmp(api, "openai") == 0 ? "/v1" : "");
  n += snprintf(json + n, sizeof json - (size_t)n, "}}");
  check(aiorch_error_new(&error), NULL);
  check(aiorch_config_new(&config), NULL);
  check(aiorch_config_load_json(config, json, (size_t)n, "settings", error), error);
  check(aiorch_open(config, &orch, error), error);
  aiorch_config_free(config);
  aiorch_error_free(error);
  return orch;
}

static void complain(const char *cut, const char *what, const aiorch_run *run) {
  if (bad++ < 20)
    printf("  FAILED: %s: %s: %s: %s\n", cut, what, aiorch_status_name(aiorch_run_status(run)), aiorch_error_message(aiorch_run_error(run)));
}

static void judge(aiorch_run *run, int cut, bool stream) {
  const char *text = "", *words = aiorch_error_message(aiorch_run_error(run));
  size_t n = 0;
  aiorch_status status = aiorch_run_status(run);
  (void)aiorch_run_answer(run, &text, &n);
  if (cut < WHOLE_CUTS) {
    if (status != AIORCH_OK || strcmp(text, whole) != 0) complain(CUTS[cut], "is not whole", run);
    return;
  }
  if (status == AIORCH_OK || words[0] == '\0') complain(CUTS[cut], "is said to be whole", run);
  if (n >= strlen(whole) || strncmp(text, whole, n) != 0) complain(CUTS[cut], "what was given is not how it begins", run);
  if (!stream && n > 0) complain(CUTS[cut], "half an answer in one piece was given", run);
}

static aiorch_run *ask(aiorch *orch, const char *cut) {
  aiorch_run *run = NULL;
  check(aiorch_run_new(orch, "acme", 4, "u", 1, &run), NULL);
  check(aiorch_run_add_message(run, AIORCH_ROLE_USER, "How is a dump made?", 19), NULL);
  check(aiorch_run_set_option(run, "generate.chain", cut, strlen(cut)), NULL);
  (void)aiorch_run_execute(run);
  return run;
}

static void close_orch(aiorch *orch) {
  while (aiorch_close(orch, 5000) == AIORCH_AGAIN) {}
  check(aiorch_free(orch), NULL);
}

static void play(const char *ca, const char *api, bool stream, int rounds) {
  char seen[CUTS_COUNT][80] = {{0}};
  aiorch *orch = open_orch(ca, "2", api, stream);
  for (int i = 0; i < rounds; i++) {
    for (int cut = 0; cut < CUTS_COUNT; cut++) {
      http_watchdog(WATCHDOG_S);
      aiorch_run *run = ask(orch, CUTS[cut]);
      judge(run, cut, stream);
      snprintf(seen[cut], sizeof seen[cut], "%s", aiorch_status_name(aiorch_run_status(run)));
      aiorch_run_free(run);
    }
  }
  printf("%s, %s:", api, stream ? "as a stream" : "in one piece");
  for (int cut = 0; cut < CUTS_COUNT; cut++) printf(" %s %s%s", CUTS[cut], seen[cut], cut + 1 < CUTS_COUNT ? "," : "\n");
  close_orch(orch);
  orch = open_orch(ca, "1.1", api, stream);
  aiorch_run *run = ask(orch, CUTS[0]);
  if (aiorch_run_status(run) == AIORCH_OK) complain("well", "came without HTTP/2", run);
  aiorch_run_free(run);
  close_orch(orch);
}

int main(int argc, char **argv) {
  char ca[HTTP2_LINE];
  int64_t connections, requests, dropped;
  int rounds = argc > 2 && strcmp(argv[1], "--rounds") == 0 ? atoi(argv[2]) : ROUNDS;
  size_t n = 0;
  http_forget_proxies();
  http_watchdog(WATCHDOG_S);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (!http2_peer_start(ca)) return 77;
  for (int i = 0; i < WORDS; i++) n += (size_t)snprintf(whole + n, sizeof whole - n, "%d. A dump of table %d is made with pg_dump. ", i, i);
  for (int family = 0; family < FAMILIES; family++)
    for (int stream = 0; stream < 2; stream++) play(ca, APIS[family], stream == 1, rounds);
  http2_peer_seen(&connections, &requests, &dropped);
  printf("%d requests over %d connections\n", (int)requests, (int)connections);
  if (requests < (int64_t)rounds * CUTS_COUNT * FAMILIES * 2) bad += printf("  FAILED: some were not asked\n");
  http2_peer_end();
  printf("%s\n", bad ? "FAILED" : "all held");
  return bad ? 1 : 0;
}
