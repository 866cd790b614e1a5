/* aiorch_run_json over a memory store with the extractive provider: any bytes give a response that is JSON. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "text/json.h"

static aiorch *orchestrator(void) {
  static const char config_json[] =
    "{\"store\":\"memory\",\"tenancy\":\"single\",\"anonymous\":true,\"rate_limit.requests\":0,"
    "\"rate_limit.refused\":0,"
    "\"cache.max_rows\":50,\"deadline_ms\":5000}";
  static const char text[] =
    "# Backups\n\nA dump is made with pg_dump. It is consistent while the database is in use.\n\n## Restore\n\n"
    "Text dumps are read by psql, archives by pg_restore.\n";
  static aiorch *orch;
  if (orch != NULL) return orch;
  aiorch_config *config = NULL;
  aiorch_document *document = NULL;
  if (aiorch_config_new(&config) != AIORCH_OK || aiorch_document_new(&document) != AIORCH_OK) abort();
  FUZZ_CHECK(aiorch_config_load_json(config, config_json, sizeof config_json - 1, NULL, NULL) == AIORCH_OK);
  FUZZ_CHECK(aiorch_open(config, &orch, NULL) == AIORCH_OK);
  FUZZ_CHECK(aiorch_document_set_source(document, "guide.md", 8) == AIORCH_OK);
  FUZZ_CHECK(aiorch_document_set_text(document, AIORCH_FORMAT_MARKDOWN, text, sizeof text - 1) == AIORCH_OK);
  FUZZ_CHECK(aiorch_knowledge_add(orch, "", 0, document, 1000, NULL) == AIORCH_OK);
  aiorch_document_free(document);
  aiorch_config_free(config);
  return orch;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aiorch_text *response = NULL;
  const char *p = NULL;
  size_t n = 0;
  aiorch_status status = aiorch_run_json(orchestrator(), size > 0 ? (const char *)data : "", size, &response);
  FUZZ_CHECK(status == AIORCH_OK || status < 0);
  FUZZ_CHECK(status != AIORCH_E_INTERNAL && status != AIORCH_E_NOMEM);
  FUZZ_CHECK(response != NULL && aiorch_text_get(response, &p, &n) == AIORCH_OK && p[n] == '\0');
  aio__json_limits limits = {(size_t)64 << 20, AIO__JSON_MAX_DEPTH, AIORCH_E_RESPONSE, "response"};
  aio__json *json = NULL;
  FUZZ_CHECK(aio__json_parse(aio__alloc_default(), (aio__str){p, n}, &limits, &json, NULL) == AIORCH_OK);
  bool failed = aio__json_get(aio__json_root(json), "error") != NULL &&
                aio__json_typeof(aio__json_get(aio__json_root(json), "error")) != AIO__JSON_NULL;
  FUZZ_CHECK(failed == (status < 0));
  aio__json_free(json);
  aiorch_text_free(response);
  return 0;
}
