/*
 * The access log: one line of JSON a request. Who (tenant, the id of the key, never the key), what for, how it ended, how long it took and
 * what it cost; of what was said nothing. Of an address the query is left out: it is the client's text, too.
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>

enum { NOTE_NAME_MAX = 128, NOTE_COST_MAX = 40 };

struct access_note {
  char address[HTTP_ADDRESS_MAX];
  char run_id[NOTE_NAME_MAX], provider[NOTE_NAME_MAX], model[NOTE_NAME_MAX], cost[NOTE_COST_MAX];
  const char *cache; /* NULL: there was no run */
  int64_t input_tokens, output_tokens, run_us;
  bool estimated;
};

static void keep(char out[NOTE_NAME_MAX], const aiorch_run *run, aiorch_status (*read)(const aiorch_run *, const char **, size_t *)) {
  const char *text = "";
  size_t len = 0;
  if (read(run, &text, &len) == AIORCH_OK && len > 0) snprintf(out, NOTE_NAME_MAX, "%.*s", (int)(len < NOTE_NAME_MAX ? len : NOTE_NAME_MAX - 1), text);
}

void access_log_begin(server_request *r) {
  if (!r->handle->settings.access_log) return;
  r->note = cli_alloc(sizeof *r->note);
  identity_address(r->handle->ids, &r->call->request, r->note->address);
}

void access_log_note(server_request *r) {
  const aiorch_run *run = r->x.run;
  struct access_note *note = r->note;
  if (!run || !note) return;
  keep(note->run_id, run, aiorch_run_id);
  keep(note->provider, run, aiorch_run_provider);
  keep(note->model, run, aiorch_run_model);
  note->cache = exchange_cache(&r->x);
  if (!exchange_cost(&r->x, note->cost)) note->cost[0] = '\0';
  note->input_tokens = aiorch_run_usage(run, AIORCH_USAGE_INPUT) + aiorch_run_usage(run, AIORCH_USAGE_CACHE_READ) +
                       aiorch_run_usage(run, AIORCH_USAGE_CACHE_WRITE);
  note->output_tokens = aiorch_run_usage(run, AIORCH_USAGE_OUTPUT) + aiorch_run_usage(run, AIORCH_USAGE_REASONING);
  note->estimated = aiorch_run_usage_estimated(run) == 1;
  note->run_us = aiorch_run_duration_us(run);
}

static void member(json_print *p, const char *name, const char *text) {
  if (text[0]) jp_kz(p, name, text);
}

static void members_of_run(json_print *p, const struct access_note *note) {
  member(p, "run_id", note->run_id);
  member(p, "provider", note->provider);
  member(p, "model", note->model);
  jp_kz(p, "cache", note->cache);
  jp_ki64(p, "input_tokens", note->input_tokens);
  jp_ki64(p, "output_tokens", note->output_tokens);
  if (note->estimated) {
    jp_key(p, "tokens_estimated");
    jp_bool(p, true);
  }
  if (note->cost[0]) {
    jp_key(p, "cost_usd");
    jp_raw(p, note->cost, strlen(note->cost));
  }
  jp_ki64(p, "run_us", note->run_us);
}

void access_log_write(const server_request *r, int status, uint64_t bytes, int64_t us) {
  const http_request *q = &r->call->request;
  json_print p = {0};
  if (!r->note) return;
  jp_open(&p, '{');
  jp_ki64(&p, "time_ms", cli_now_ms());
  jp_kz(&p, "request_id", q->id);
  jp_kz(&p, "address", r->note->address);
  jp_kz(&p, "method", q->method);
  jp_kz(&p, "path", q->path);
  jp_ki64(&p, "status", status);
  jp_ki64(&p, "bytes_in", (int64_t)r->call->body_len);
  jp_ki64(&p, "bytes_out", (int64_t)bytes);
  jp_ki64(&p, "us", us);
  jp_kz(&p, "tenant", r->who.tenant_len ? r->who.tenant : NULL);
  jp_kz(&p, "credential", r->who.credential[0] ? r->who.credential : NULL);
  jp_key(&p, "gone");
  jp_bool(&p, http_call_gone(r->call));
  if (r->note->cache) members_of_run(&p, r->note);
  jp_close(&p, '}');
  cli_addc(&p.out, '\n');
  if (!server_write_line(p.out.data, p.out.len)) r->handle->server->counts.log_dropped++;
  cli_release(&p.out);
}
