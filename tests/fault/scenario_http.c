/*
 * Runs over HTTP, for the fault tests: a server in a process of its own, which no fault reaches, and runs whose way leads over a
 * provider that is not there, one that refuses its first key and then streams, one that answers whole, and one that never ends and is
 * cancelled.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"
#include "support/tiny_server.h"

enum { CHUNKS = 5, GONE_MS = 10000, WAIT_MS = 100, WAIT_TRIES = 900, TAG_LEN = 9 };

#define TAG "question-" /* and its number: how the server knows which run asks */
#define SSE "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":"

static int port, closed_port;
static pid_t server_pid;

/* ---- the server --------------------------------------------------------------------------------------------------- */

static bool chunk(int fd, const char *text) {
  char head[32];
  snprintf(head, sizeof head, "%zx\r\n", strlen(text));
  return tiny_send_text(fd, head) && tiny_send_text(fd, text) && tiny_send_text(fd, "\r\n");
}

static bool begin_stream(int fd) {
  return tiny_send_text(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static bool say_stream(int fd) {
  bool ok = begin_stream(fd);
  for (int i = 0; i < CHUNKS && ok; i++) ok = chunk(fd, SSE "{\"content\":\"A dump is made with pg_dump [1]. \"}}]}\n\n");
  return ok && chunk(fd, SSE "{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":20}}\n\ndata: [DONE]\n\n") &&
         tiny_send_text(fd, "0\r\n\r\n");
}

static bool say_whole(int fd) {
  return tiny_reply(fd, 200, "Content-Type: application/json\r\n",
                    "{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"With"
                    " pg_dump [1].\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":9,\"output_tokens\":5}}");
}

static void note_question(scenario_ledger *ledger, const tiny_request *request) {
  const char *tag = memmem(request->body, request->body_len, TAG, TAG_LEN);
  int number = tag && tag + TAG_LEN < request->body + request->body_len ? tag[TAG_LEN] - '0' : -1;
  if (number >= 0 && number < SCENARIO_ASKS_MAX) atomic_store(&ledger->asked[number], 1);
}

static bool answer(tiny_server *server, const tiny_request *request) {
  note_question(server->ctx, request);
  if (strncmp(request->path, "/whole/", 7) == 0) return say_whole(request->fd);
  if (strstr(request->head, "key-a") != NULL) {
    return tiny_reply(request->fd, 401, "Content-Type: application/json\r\n", "{\"error\":{\"message\":\"no such key\",\"type\":\"auth\"}}");
  }
  if (strncmp(request->path, "/endless/", 9) != 0) return say_stream(request->fd);
  if (begin_stream(request->fd) && chunk(request->fd, SSE "{\"content\":\"It begins\"}}]}\n\n")) (void)tiny_gone(request->fd, GONE_MS);
  return false;
}

static void serve(scenario_ledger *ledger, int told) {
  static tiny_server server, closed;
  int ports[2];
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  tiny_server_start(&closed, answer, ledger);
  tiny_server_start(&server, answer, ledger);
  ports[0] = server.port;
  ports[1] = closed.port;
  tiny_server_stop(&closed);
  if (write(told, ports, sizeof ports) != (ssize_t)sizeof ports) _exit(1);
  for (;;) (void)pause();
}

void scenario_http_begin(scenario_ledger *ledger) {
  int told[2], ports[2];
  if (pipe(told) != 0) abort();
  (void)fflush(NULL);
  server_pid = fork();
  if (server_pid == 0) serve(ledger, told[1]);
  if (read(told[0], ports, sizeof ports) != (ssize_t)sizeof ports) abort();
  (void)close(told[0]);
  (void)close(told[1]);
  port = ports[0];
  closed_port = ports[1];
}

void scenario_http_end(void) {
  if (server_pid == 0) return;
  (void)kill(server_pid, SIGKILL);
  (void)waitpid(server_pid, NULL, 0);
}

aiorch_status scenario_http_set(aiorch_config *config, aiorch_error *error) {
  char json[1600];
  int n = snprintf(json, sizeof json,
                   "{\"generate.attempts\": 1, \"generate.breaker_failures\": 1000, \"cache.mode\": \"off\", \"providers\": {"
                   "\"down\": {\"api\": \"openai\", \"model\": \"m\", \"base_url\": \"http://127.0.0.1:%d/v1\"},"
                   "\"stream\": {\"api\": \"openai\", \"model\": \"m\", \"base_url\": \"http://localhost:%d/stream\", \"key\": \"key-a *1000, key-b\"},"
                   "\"whole\": {\"api\": \"anthropic\", \"model\": \"m\", \"base_url\": \"http://127.0.0.1:%d/whole\", \"key\": \"k\", \"stream\": false},"
                   "\"endless\": {\"api\": \"openai\", \"model\": \"m\", \"base_url\": \"http://127.0.0.1:%d/endless\", \"key\": \"k\"}}}",
                   closed_port, port, port, port);
  return aiorch_config_load_json(config, json, (size_t)n, "http", error);
}

/* ---- the runs ----------------------------------------------------------------------------------------------------- */

static aiorch_run *new_run(aiorch *orch, int number, const char *chain, scenario_ledger *ledger) {
  char question[64];
  int n = snprintf(question, sizeof question, "How is a dump made, " TAG "%d?", number);
  aiorch_run *run = NULL;
  aiorch_status status = aiorch_run_new(orch, "acme", 4, "u1", 2, &run);
  atomic_store(&ledger->asked[number], 0);
  if (status == AIORCH_OK) status = aiorch_run_add_message(run, AIORCH_ROLE_USER, question, (size_t)n);
  if (status == AIORCH_OK) status = aiorch_run_set_option(run, "generate.chain", chain, strlen(chain));
  if (status == AIORCH_OK) return run;
  scenario_note(ledger, "a run over HTTP", status, run != NULL ? aiorch_run_error(run) : NULL);
  aiorch_run_free(run);
  return NULL;
}

static bool end_run(aiorch_run *run, int number, aiorch_status status, scenario_ledger *ledger) {
  if (atomic_load(&ledger->asked[number])) scenario_called(ledger, run);
  bool good = scenario_judge(run, status, ledger);
  const char *json = NULL;
  (void)aiorch_run_to_json(run, &json, NULL);
  aiorch_run_free(run);
  return good;
}

static bool ask(aiorch *orch, int number, const char *chain, scenario_ledger *ledger) {
  aiorch_run *run = new_run(orch, number, chain, ledger);
  return run != NULL && end_run(run, number, aiorch_run_execute(run), ledger);
}

/* Cancelled when its answer has begun, or when it fails before. */
static void ask_and_cancel(aiorch *orch, int number, scenario_ledger *ledger) {
  aiorch_run *run = new_run(orch, number, "endless", ledger);
  const aiorch_event *event = NULL;
  const char *id = NULL;
  size_t n = 0;
  aiorch_status status = AIORCH_AGAIN;
  if (run == NULL) return;
  (void)aiorch_run_id(run, &id, &n);
  for (int i = 0; i < WAIT_TRIES && (status == AIORCH_OK || status == AIORCH_AGAIN); i++) {
    status = aiorch_run_next(run, WAIT_MS, &event);
    if (atomic_load(&ledger->asked[number])) (void)aiorch_cancel(orch, id, n);
  }
  status = status == AIORCH_DONE ? aiorch_run_status(run) : status;
  if (status == AIORCH_OK) scenario_say(ledger, "an answer without an end has ended well");
  if (status == AIORCH_E_CANCELLED) status = AIORCH_E_DEADLINE; /* expected here alone */
  (void)end_run(run, number, status, ledger);
}

bool scenario_http_ask(aiorch *orch, scenario_ledger *ledger) { return ask(orch, 0, "down,stream", ledger); }

void scenario_http_play(aiorch *orch, scenario_ledger *ledger) {
  (void)ask(orch, 1, "down,stream", ledger);
  (void)ask(orch, 2, "whole", ledger);
  (void)ask(orch, 3, "stream", ledger); /* over a connection that is there */
  ask_and_cancel(orch, 4, ledger);
}
