/*
 * One thread carries two hundred runs at once, as a server does with its connections.
 *
 * Introduces: aiorch_run_submit, aiorch_wait, aiorch_fd in a poll loop, user data, cancelling by id.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <aiorch/aiorch.h>

enum { RUNS = 200 };

typedef struct client {
  int number;
  size_t bytes; /* of its answer so far */
} client;

static void check(aiorch_status status, const aiorch_error *error) {
  if (status >= 0) return;
  const char *message = aiorch_error_message(error);
  fprintf(stderr, "%s\n", message[0] ? message : aiorch_strerror(status));
  exit(1);
}

static aiorch *open_with_a_document(aiorch_error *error) {
  static const char text[] = "Parcel number 7 is in the blue van. All other parcels are in the red van.\n";
  aiorch_config *config;
  aiorch_document *document;
  aiorch *orch;
  check(aiorch_config_new(&config), NULL);
  check(aiorch_config_set_str(config, "store", "memory", 6, error), error);
  check(aiorch_config_set_bool(config, "anonymous", 1, error), error); /* no user, no limit by user */
  check(aiorch_open(config, &orch, error), error);
  aiorch_config_free(config);
  check(aiorch_document_new(&document), NULL);
  check(aiorch_document_set_source(document, "vans.txt", 8), NULL);
  check(aiorch_document_set_text(document, AIORCH_FORMAT_PLAIN, text, sizeof text - 1), NULL);
  check(aiorch_knowledge_add(orch, "acme", 4, document, 5000, error), error);
  aiorch_document_free(document);
  return orch;
}

static void submit(aiorch *orch, client *who) {
  char question[80];
  aiorch_run *run;
  int len = snprintf(question, sizeof question, "Which van has parcel number %d?", who->number);
  check(aiorch_run_new(orch, "acme", 4, NULL, 0, &run), NULL);
  check(aiorch_run_add_message(run, AIORCH_ROLE_USER, question, (size_t)len), NULL);
  check(aiorch_run_set_user_data(run, who), NULL);
  check(aiorch_run_submit(run), aiorch_run_error(run));
  if (who->number == 13) { /* a client that hangs up */
    const char *id;
    size_t id_len;
    check(aiorch_run_id(run, &id, &id_len), NULL);
    check(aiorch_cancel(orch, id, id_len), NULL);
  }
}

/* Takes what one run has to tell. Returns 1 when it has ended; then it is freed. */
static int serve(aiorch_run *run, int *cancelled) {
  client *who = aiorch_run_user_data(run);
  const aiorch_event *event;
  aiorch_status status;
  while ((status = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {
    const char *text;
    size_t len;
    if (aiorch_event_type(event) != AIORCH_EVENT_DELTA) continue;
    check(aiorch_event_text(event, &text, &len), NULL);
    who->bytes += len; /* a server would write it to the client's socket */
  }
  if (status != AIORCH_DONE) return 0; /* AIORCH_AGAIN: the lease has ended, the run comes back when it can go on */
  if (aiorch_run_status(run) == AIORCH_E_CANCELLED) ++*cancelled;
  else check(aiorch_run_status(run), aiorch_run_error(run));
  aiorch_run_free(run);
  return 1;
}

int main(void) {
  static client clients[RUNS];
  aiorch_error *error;
  int ended = 0, cancelled = 0;
  size_t bytes = 0;
  int32_t fd;

  check(aiorch_error_new(&error), NULL);
  aiorch *orch = open_with_a_document(error);
  for (int i = 0; i < RUNS; i++) {
    clients[i].number = i;
    submit(orch, &clients[i]);
  }

  check(aiorch_fd(orch, &fd), NULL);
  while (ended < RUNS) {
    struct pollfd watched = {fd, POLLIN, 0}; /* a server watches its sockets here, too */
    aiorch_run *run;
    if (poll(&watched, 1, 10000) <= 0) break;
    while (aiorch_wait(orch, 0, &run) == AIORCH_OK) ended += serve(run, &cancelled);
  }

  for (int i = 0; i < RUNS; i++) bytes += clients[i].bytes;
  printf("%d of %d runs ended, %d cancelled, %zu bytes of answers\n", ended, RUNS, cancelled, bytes);
  aiorch_close(orch, 5000);
  aiorch_free(orch);
  aiorch_error_free(error);
  return ended == RUNS ? 0 : 1;
}
