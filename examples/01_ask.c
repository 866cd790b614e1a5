/*
 * Asks one question about two small documents.
 *
 * Introduces: configuration, open and free, adding a document, a run at once, the answer and its sources.
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

static void add(aiorch *orch, const char *source, const char *text, aiorch_error *error) {
  aiorch_document *document;
  check(aiorch_document_new(&document), NULL);
  check(aiorch_document_set_source(document, source, strlen(source)), NULL);
  check(aiorch_document_set_text(document, AIORCH_FORMAT_MARKDOWN, text, strlen(text)), NULL);
  check(aiorch_knowledge_add(orch, "acme", 4, document, 5000, error), error);
  aiorch_document_free(document);
}

int main(int argc, char **argv) {
  const char *question = argc > 1 ? argv[1] : "Who may enter the server room?";
  aiorch_error *error;
  aiorch_config *config;
  aiorch *orch;
  aiorch_run *run;
  const char *text, *uri;

  check(aiorch_error_new(&error), NULL);
  check(aiorch_config_new(&config), NULL);
  check(aiorch_config_set_str(config, "store", "memory", 6, error), error); /* a path would keep it all in a folder */
  check(aiorch_open(config, &orch, error), error);
  aiorch_config_free(config);

  add(orch, "handbook/server-room.md",
      "# Server room\n\nOnly members of the infrastructure team may enter the server room. Visitors sign the book at"
      " the reception and are accompanied at all times.\n", error);
  add(orch, "handbook/coffee.md",
      "# Coffee machine\n\nThe coffee machine is descaled on the first Monday of each month.\n", error);

  check(aiorch_run_new(orch, "acme", 4, "alice", 5, &run), NULL);
  check(aiorch_run_add_message(run, AIORCH_ROLE_USER, question, strlen(question)), NULL);
  check(aiorch_run_execute(run), aiorch_run_error(run));

  check(aiorch_run_answer(run, &text, NULL), NULL);
  printf("%s\n\n", text);
  for (size_t i = 0; i < aiorch_run_source_count(run); i++) {
    check(aiorch_run_source_uri(run, i, &uri, NULL), NULL);
    printf("[%zu] %s\n", i + 1, uri);
  }

  aiorch_run_free(run);
  aiorch_close(orch, 5000);
  aiorch_free(orch);
  aiorch_error_free(error);
  return 0;
}
