/* See models_page.h. */
#include "models_page.h"

#include "model_catalog.h"

#include <string.h>
#include <time.h>

static void put_model(const model_catalog *models, const char *name, size_t len, const char *owner, json_print *p) {
  char day[32] = "1970-01-01T00:00:00Z";
  time_t seconds = (time_t)models->created_s;
  struct tm utc;
  if (gmtime_r(&seconds, &utc)) strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%SZ", &utc);
  jp_open(p, '{');
  jp_key(p, "id");
  jp_str(p, name, len);
  jp_kz(p, "object", "model");
  jp_ki64(p, "created", models->created_s);
  jp_kz(p, "owned_by", owner);
  jp_kz(p, "type", "model");
  jp_key(p, "display_name");
  jp_str(p, name, len);
  jp_kz(p, "created_at", day);
  jp_close(p, '}');
}

void models_list(endpoint_call *call) {
  json_print p = {.out = call->out};
  cli_bytes name = {0}, first = {0}, last = {0};
  const char *owner;
  jp_open(&p, '{');
  jp_kz(&p, "object", "list");
  jp_key(&p, "data");
  jp_open(&p, '[');
  for (size_t i = 0; model_catalog_listed(call->models, i, &name, &owner); i++) {
    if (i == 0) cli_add(&first, cli_z(&name), name.len);
    cli_clear(&last);
    cli_add(&last, cli_z(&name), name.len);
    put_model(call->models, cli_z(&name), name.len, owner, &p);
  }
  jp_close(&p, ']');
  jp_key(&p, "has_more");
  jp_bool(&p, false);
  jp_kz(&p, "first_id", cli_z(&first));
  jp_kz(&p, "last_id", cli_z(&last));
  jp_close(&p, '}');
  call->out = p.out;
  cli_release(&name);
  cli_release(&first);
  cli_release(&last);
}

void models_one(endpoint_call *call) {
  char name[2 * (ENDPOINT_PART_MAX + 1)];
  model_choice choice;
  http_problem why;
  snprintf(name, sizeof name, "%s%s%s", call->parts[0], call->parts[1][0] ? "/" : "", call->parts[1]);
  if (!model_catalog_find(call->models, name, strlen(name), &choice)) {
    http_problem_set(&why, 404, "model_not_found", "model", "the model \"%.100s\" is none that this server asks for; GET /v1/models has them",
                     name);
    why.type = "invalid_request_error"; /* as OpenAI says it */
    endpoint_problem(call, &why);
    return;
  }
  json_print p = {.out = call->out};
  put_model(call->models, name, strlen(name), *choice.provider ? choice.provider : "aiorch", &p);
  call->out = p.out;
}
