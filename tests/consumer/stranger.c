/* What a stranger writes first: one document, one question, one answer, with nothing configured but a store in memory. */
#include <aiorch/aiorch.h>

#include <stdio.h>
#include <string.h>

static const char TEXT[] = "The lighthouse of Alexandria was about one hundred metres tall. It stood on the island of Pharos.";
static const char QUESTION[] = "How tall was the lighthouse of Alexandria?";

static aiorch_status teach(aiorch *orch) {
  aiorch_document *document = NULL;
  aiorch_status status = aiorch_document_new(&document);
  if (status == AIORCH_OK) status = aiorch_document_set_source(document, "pharos.txt", 10);
  if (status == AIORCH_OK) status = aiorch_document_set_text(document, AIORCH_FORMAT_PLAIN, TEXT, sizeof TEXT - 1);
  if (status == AIORCH_OK) status = aiorch_knowledge_add(orch, "acme", 4, document, 10000, NULL);
  aiorch_document_free(document);
  return status;
}

static aiorch_status ask(aiorch *orch) {
  aiorch_run *run = NULL;
  aiorch_status status = aiorch_run_new(orch, "acme", 4, "u1", 2, &run);
  if (status == AIORCH_OK) status = aiorch_run_add_message(run, AIORCH_ROLE_USER, QUESTION, sizeof QUESTION - 1);
  if (status == AIORCH_OK) status = aiorch_run_execute(run);
  const char *answer = "";
  if (status == AIORCH_OK) status = aiorch_run_answer(run, &answer, NULL);
  if (status == AIORCH_OK) puts(answer);
  if (status == AIORCH_OK && strstr(answer, "one hundred metres") == NULL) status = AIORCH_E_INTERNAL;
  if (status != AIORCH_OK) fprintf(stderr, "%s: %s\n", aiorch_strerror(status), aiorch_error_message(aiorch_run_error(run)));
  aiorch_run_free(run);
  return status;
}

int main(void) {
  if (aiorch_version() != AIORCH_VERSION) return 2;
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  aiorch *orch = NULL;
  aiorch_status status = aiorch_error_new(&error);
  if (status == AIORCH_OK) status = aiorch_config_new(&config);
  if (status == AIORCH_OK) status = aiorch_config_set_str(config, "store", "memory", 6, error);
  if (status == AIORCH_OK) status = aiorch_open(config, &orch, error);
  if (status != AIORCH_OK) fprintf(stderr, "%s: %s\n", aiorch_strerror(status), aiorch_error_message(error));
  if (status == AIORCH_OK) status = teach(orch);
  if (status == AIORCH_OK) status = ask(orch);
  if (orch != NULL && aiorch_close(orch, 10000) != AIORCH_OK) status = AIORCH_E_INTERNAL;
  if (aiorch_free(orch) != AIORCH_OK) status = AIORCH_E_INTERNAL;
  aiorch_config_free(config);
  aiorch_error_free(error);
  return status == AIORCH_OK ? 0 : 1;
}
