/*
 * What the fuzz targets of the server's wires share: any body makes a run or is refused in words that are JSON; a run that was made goes to its
 * end, and what the client would read is JSON, whole or event by event.
 */
#ifndef WIRE_CHECK_H
#define WIRE_CHECK_H

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "model_catalog.h"
#include "run_making.h"

typedef struct wire_server {
  aiorch *orch;
  model_catalog *models;
} wire_server;

static const wire_server *wire_check_server(void) {
  static const char config_json[] = "{\"store\":\"memory\",\"tenancy\":\"single\",\"anonymous\":true,\"embedder\":\"none\",\"rate_limit.requests\":0,"
                                    "\"rate_limit.refused\":0,\"cache.max_rows\":50,\"deadline_ms\":5000,\"generate.chain\":\"extractive\"}";
  static wire_server server;
  aiorch_config *config = NULL;
  if (server.orch) return &server;
  if (aiorch_config_new(&config) != AIORCH_OK) abort();
  FUZZ_CHECK(aiorch_config_load_json(config, config_json, sizeof config_json - 1, NULL, NULL) == AIORCH_OK);
  FUZZ_CHECK(aiorch_open(config, &server.orch, NULL) == AIORCH_OK);
  server.models = model_catalog_make(server.orch, config, "*");
  FUZZ_CHECK(server.models != NULL);
  aiorch_config_free(config);
  return &server;
}

static void wire_check_json(const char *text, size_t len) {
  body_json b;
  FUZZ_CHECK(body_parse(&b, text, len) && b.root->type == BODY_OBJECT);
  body_free(&b);
}

/* Each event ends with an empty line; its last line is "data: " and JSON, or [DONE]. */
static void wire_check_events(const char *at) {
  while (*at) {
    const char *end = strstr(at, "\n\n");
    FUZZ_CHECK(end != NULL);
    const char *data = strncmp(at, "event: ", 7) == 0 ? strchr(at, '\n') + 1 : at;
    FUZZ_CHECK(strncmp(data, "data: ", 6) == 0 && data < end);
    if (strncmp(data + 6, "[DONE]", 6) != 0) wire_check_json(data + 6, (size_t)(end - data) - 6);
    at = end + 2;
  }
}

static void wire_check_run(const wire *w, exchange *x) {
  const aiorch_event *event;
  aiorch_status status;
  http_problem why;
  while ((status = aiorch_run_next(x->run, -1, &event)) == AIORCH_OK) {
    exchange_event(x, w, event);
    x->started = x->out.len > 0;
  }
  FUZZ_CHECK(status == AIORCH_DONE);
  status = aiorch_run_status(x->run);
  FUZZ_CHECK(status != AIORCH_E_INTERNAL && status != AIORCH_E_NOMEM && status != AIORCH_PENDING);
  if (status != AIORCH_OK) {
    http_problem_of(&why, status, aiorch_run_error(x->run));
    w->problem(x, &why);
  } else if (!x->streamed) {
    w->whole(x);
  }
  if (x->started) wire_check_events(cli_z(&x->out));
  else wire_check_json(cli_z(&x->out), x->out.len);
}

static void wire_check(const wire *w, const uint8_t *data, size_t size) {
  static const caller who;
  static http_request request;
  const wire_server *server = wire_check_server();
  exchange x = {.orch = server->orch, .models = server->models, .who = &who, .request = &request};
  http_problem why;
  memcpy(request.id, "fuzz", 5);
  if (w->begin(&x, size > 0 ? (const char *)data : "", size, &why)) {
    FUZZ_CHECK(x.run != NULL);
    wire_check_run(w, &x);
  } else {
    FUZZ_CHECK(why.status >= 400 && why.status < 500 && why.message[0]);
    w->problem(&x, &why);
    wire_check_json(cli_z(&x.out), x.out.len);
  }
  w->end(&x);
  aiorch_run_free(x.run);
  cli_release(&x.out);
  cli_list_free(&x.warnings);
  headers_free(&x.headers);
}

#endif
