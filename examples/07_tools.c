/*
 * Lets a model use a tool of the program's: the model asks for it, the program runs it, and a second run goes on with what came of it.
 * The model here is a plug-in of a few lines; one of a provider's (docs/providers.md) is used in the same way.
 *
 * Introduces: tools, tool calls, tool results, a conversation over two runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <aiorch/aiorch.h>

static const char question[] = "How warm is it in Oslo?";

static void check(aiorch_status status, const aiorch_error *error) {
  if (status >= 0) return;
  const char *message = aiorch_error_message(error);
  fprintf(stderr, "%s\n", message[0] ? message : aiorch_strerror(status));
  exit(1);
}

/* ---- the model: asks for the tool, then answers with what it said ---- */

static aiorch_status model_generate(void *self, aiorch_call *call) {
  static const char arguments[] = "{\"city\":\"Oslo\"}";
  size_t last = aiorch_call_message_count(call) - 1, len;
  const char *text;
  int32_t role;
  (void)self;
  if (aiorch_call_message(call, last, &role, &text, &len) == AIORCH_OK && role == AIORCH_ROLE_TOOL) {
    aiorch_call_emit(call, "It is ", 6);
    aiorch_call_emit(call, text, len);
    aiorch_call_emit(call, " in Oslo.", 9);
  } else {
    aiorch_call_put_tool_call(call, "call-1", 6, "temperature", 11, arguments, sizeof arguments - 1);
    aiorch_call_put_finish_reason(call, AIORCH_FINISH_TOOL_CALLS);
  }
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

/* ---- the program ---- */

static aiorch_run *begin(aiorch *orch) {
  static const char schema[] = "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}";
  static const char what[] = "The temperature in a city, now.";
  aiorch_run *run;
  check(aiorch_run_new(orch, "acme", 4, "alice", 5, &run), NULL);
  check(aiorch_run_add_tool(run, "temperature", 11, what, sizeof what - 1, schema, sizeof schema - 1), aiorch_run_error(run));
  check(aiorch_run_add_message(run, AIORCH_ROLE_USER, question, sizeof question - 1), aiorch_run_error(run));
  return run;
}

/* Runs a tool: here there is one, and it knows one city. */
static const char *use_tool(const char *name, const char *arguments) {
  if (strcmp(name, "temperature") != 0) return "there is no such tool";
  return strstr(arguments, "Oslo") ? "-3 degrees" : "unknown";
}

int main(void) {
  aiorch_provider_vtbl model = {0};
  aiorch_error *error;
  aiorch_config *config;
  aiorch *orch;
  const char *id, *name, *arguments, *answer;
  size_t arguments_len;

  check(aiorch_error_new(&error), NULL);
  check(aiorch_config_new(&config), NULL);
  check(aiorch_config_set_str(config, "store", "memory", 6, error), error);
  model.struct_size = sizeof model;
  model.model = "little-model";
  model.generate = model_generate;
  check(aiorch_config_add_provider(config, "little", &model, NULL, error), error);
  check(aiorch_open(config, &orch, error), error);
  aiorch_config_free(config);

  aiorch_run *first = begin(orch), *second = begin(orch);
  check(aiorch_run_execute(first), aiorch_run_error(first));
  for (size_t i = 0; i < aiorch_run_tool_call_count(first); i++) {
    check(aiorch_run_tool_call(first, i, &id, &name, &arguments, &arguments_len), NULL);
    const char *result = use_tool(name, arguments);
    printf("%s(%s) -> %s\n", name, arguments, result);
    check(aiorch_run_add_tool_call(second, id, strlen(id), name, strlen(name), arguments, arguments_len), aiorch_run_error(second));
    check(aiorch_run_add_tool_result(second, id, strlen(id), name, strlen(name), result, strlen(result), 0), aiorch_run_error(second));
  }
  check(aiorch_run_execute(second), aiorch_run_error(second));
  check(aiorch_run_answer(second, &answer, NULL), NULL);
  printf("%s\n", answer);

  aiorch_run_free(first);
  aiorch_run_free(second);
  aiorch_close(orch, 5000);
  aiorch_free(orch);
  aiorch_error_free(error);
  return 0;
}
