/*
 * Shows an answer while it comes.
 *
 * Introduces: a pulled run, its events, the exact JSON of a run at its end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <aiorch/aiorch.h>

static void check(aiorch_status status, const aiorch_error *error) {
  if (status >= 0) return;
  const char *message = aiorch_error_message(error);
  fprintf(stderr, "%s\n", message[0] ? message : aiorch_strerror(status));
  exit(1);
}

static aiorch *open_with_a_document(aiorch_error *error) {
  static const char text[] =
      "# Backups\n\nA backup of the shop is made every night at two. It is kept for thirty days.\n\n"
      "To restore a backup, stop the shop, run this command and start the shop again:\n\n"
      "```\nshop-restore --from /backups/latest\n```\n";
  aiorch_config *config;
  aiorch_document *document;
  aiorch *orch;
  check(aiorch_config_new(&config), NULL);
  check(aiorch_config_set_str(config, "store", "memory", 6, error), error);
  check(aiorch_open(config, &orch, error), error);
  aiorch_config_free(config);
  check(aiorch_document_new(&document), NULL);
  check(aiorch_document_set_source(document, "backups.md", 10), NULL);
  check(aiorch_document_set_text(document, AIORCH_FORMAT_MARKDOWN, text, sizeof text - 1), NULL);
  check(aiorch_knowledge_add(orch, "acme", 4, document, 5000, error), error);
  aiorch_document_free(document);
  return orch;
}

static void show(const aiorch_event *event) {
  const char *text;
  size_t len;
  aiorch_event_text(event, &text, &len);
  switch (aiorch_event_type(event)) {
    case AIORCH_EVENT_STAGE:
      fprintf(stderr, "(%s: %s)\n", aiorch_stage_name(aiorch_event_stage(event)),
              aiorch_outcome_name(aiorch_event_outcome(event)));
      break;
    case AIORCH_EVENT_DELTA:
      fwrite(text, 1, len, stdout);
      fflush(stdout);
      break;
    case AIORCH_EVENT_WARNING:
    case AIORCH_EVENT_ERROR:
      fprintf(stderr, "%s\n", text);
      break;
    default: /* SOURCE, FINAL */
      break;
  }
}

int main(void) {
  static const char question[] = "How do I restore a backup?";
  aiorch_error *error;
  aiorch_run *run;
  const aiorch_event *event;
  aiorch_status status;
  const char *json;

  check(aiorch_error_new(&error), NULL);
  aiorch *orch = open_with_a_document(error);
  check(aiorch_run_new(orch, "acme", 4, "alice", 5, &run), NULL);
  check(aiorch_run_add_message(run, AIORCH_ROLE_USER, question, sizeof question - 1), NULL);

  /* 100 ms at a time: a program with a window or a prompt would look after it where AIORCH_AGAIN comes back. */
  do {
    status = aiorch_run_next(run, 100, &event);
    if (status == AIORCH_OK) show(event);
  } while (status == AIORCH_OK || status == AIORCH_AGAIN);
  check(aiorch_run_status(run), aiorch_run_error(run));

  check(aiorch_run_to_json(run, &json, NULL), NULL);
  printf("\n\n%s\n", json);

  aiorch_run_free(run);
  aiorch_close(orch, 5000);
  aiorch_free(orch);
  aiorch_error_free(error);
  return 0;
}
