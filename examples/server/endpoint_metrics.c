/*
 * GET /metrics: the text format of Prometheus, from the library's counters and the server's own. Labels are of closed sets, or names of
 * the configuration: no caller makes a series.
 */
#include "server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const int64_t server_buckets_us[11] = {100, 500, 1000, 5000, 10000, 50000, 100000, 500000, 1000000, 10000000, 60000000};

enum { BUCKETS = 11, LABEL_MAX = 128 };

static void head(cli_bytes *out, const char *name, const char *type, const char *help) {
  cli_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(cli_bytes *out, const char *name, const char *type, const char *help, uint64_t value) {
  head(out, name, type, help);
  cli_addf(out, "%s %" PRIu64 "\n", name, value);
}

/* Microseconds as seconds, whatever the locale says of points. */
static void add_seconds(cli_bytes *out, int64_t us) {
  cli_addf(out, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
}

static void add_label(cli_bytes *out, const char *text) {
  size_t left = LABEL_MAX;
  cli_addc(out, '"');
  for (; *text && left > 0; text++, left--) {
    if (*text == '"' || *text == '\\') cli_addc(out, '\\');
    cli_addc(out, (unsigned char)*text < 0x20 ? ' ' : *text);
  }
  cli_addc(out, '"');
}

static void own_requests(cli_bytes *out, const server_counts *c) {
  head(out, "aiorch_http_requests_total", "counter", "Requests by the class of the answer's status; 0: no answer, the client had gone.");
  for (int i = 0; i < 6; i++) {
    if (i != 1) cli_addf(out, "aiorch_http_requests_total{class=\"%d%s\"} %" PRIu64 "\n", i, i ? "xx" : "", c->requests[i]);
  }
  head(out, "aiorch_http_endpoint_requests_total", "counter", "Requests by what was asked for.");
  for (size_t i = 0; endpoint_at(i); i++) {
    cli_addf(out, "aiorch_http_endpoint_requests_total{method=\"%s\",path=\"%s\"} %" PRIu64 "\n", endpoint_at(i)->method, endpoint_at(i)->path,
             c->by_endpoint[i]);
  }
  uint64_t sum = 0;
  head(out, "aiorch_http_request_duration_seconds", "histogram", "From the end of a request's head to the end of its answer.");
  for (int i = 0; i <= BUCKETS; i++) {
    sum += c->latency[i];
    cli_addz(out, "aiorch_http_request_duration_seconds_bucket{le=\"");
    if (i < BUCKETS) add_seconds(out, server_buckets_us[i]);
    else cli_addz(out, "+Inf");
    cli_addf(out, "\"} %" PRIu64 "\n", sum);
  }
  cli_addz(out, "aiorch_http_request_duration_seconds_sum ");
  add_seconds(out, (int64_t)c->latency_us);
  cli_addf(out, "\naiorch_http_request_duration_seconds_count %" PRIu64 "\n", sum);
}

static void own_connections(cli_bytes *out, const server *s) {
  http_counts h;
  http_front_counts(s->front, &h);
  single(out, "aiorch_http_connections", "gauge", "Connections that are open.", (uint64_t)h.connections);
  single(out, "aiorch_http_calls", "gauge", "Requests that are under way.", (uint64_t)h.calls);
  single(out, "aiorch_http_body_bytes", "gauge", "Bytes of bodies that are here.", (uint64_t)h.body_bytes);
  single(out, "aiorch_http_connections_accepted_total", "counter", "Connections taken.", h.accepted);
  single(out, "aiorch_http_connections_refused_total", "counter", "Connections turned away at a limit.", h.refused_connections);
  single(out, "aiorch_http_received_bytes_total", "counter", "Bytes of bodies received.", h.bytes_in);
  single(out, "aiorch_http_sent_bytes_total", "counter", "Bytes of answers made.", h.bytes_out);
  head(out, "aiorch_http_timeouts_total", "counter", "Connections cut because their time was up.");
  cli_addf(out, "aiorch_http_timeouts_total{phase=\"head\"} %" PRIu64 "\n", h.timeouts_head);
  cli_addf(out, "aiorch_http_timeouts_total{phase=\"body\"} %" PRIu64 "\n", h.timeouts_body);
  cli_addf(out, "aiorch_http_timeouts_total{phase=\"write\"} %" PRIu64 "\n", h.timeouts_write);
  single(out, "aiorch_http_refused_total", "counter", "Requests refused at their head or in their body.", h.bad_requests);
  single(out, "aiorch_http_gone_total", "counter", "Clients that went before their answer was whole.", h.gone);
  single(out, "aiorch_server_runs_cancelled_total", "counter", "Runs cancelled because their client went.", s->counts.cancelled);
  single(out, "aiorch_server_overloaded_total", "counter", "Requests told to come back: too many at once.", s->counts.overloaded);
  single(out, "aiorch_server_workers_refused_total", "counter", "Requests told to come back: the workers' queue was full.", s->counts.worker_refused);
  single(out, "aiorch_server_stream_events_total", "counter", "Times that bytes were handed to streams.", s->counts.stream_events);
  single(out, "aiorch_server_reloads_total", "counter", "Configurations taken over.", s->counts.reloads);
  single(out, "aiorch_server_reloads_failed_total", "counter", "Configurations that could not be taken over.", s->counts.reloads_failed);
  single(out, "aiorch_server_log_dropped_total", "counter", "Lines of the access log that nobody took from stderr.", s->counts.log_dropped);
  single(out, "aiorch_server_draining", "gauge", "1 while the server goes down.", s->draining);
}

/* Names are made of letters, digits and '_' in the library's table. */
static void library_counters(cli_bytes *out, const json_value *figures) {
  const json_value *counters = json_get(figures, "counters");
  for (const json_value *c = counters ? counters->child : NULL; c; c = c->next) {
    if (c->type != JSON_NUMBER || !c->name) continue;
    size_t plain = strspn(c->name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (c->name[plain]) continue;
    bool total = plain > 6 && strcmp(c->name + plain - 6, "_total") == 0;
    cli_addf(out, "# HELP aiorch_%s%s Counter %s of the library.\n# TYPE aiorch_%s%s counter\naiorch_%s%s %s\n", c->name, total ? "" : "_total",
             c->name, c->name, total ? "" : "_total", c->name, total ? "" : "_total", c->text);
  }
}

static void library_stage(cli_bytes *out, const json_value *stage) {
  const json_value *buckets = json_get(stage, "buckets");
  for (const json_value *b = buckets ? buckets->child : NULL; b; b = b->next) {
    if (json_is_null(b, "le_us")) continue;
    cli_addf(out, "aiorch_stage_duration_seconds_bucket{stage=\"%s\",le=\"", stage->name);
    add_seconds(out, json_i64(b, "le_us"));
    cli_addf(out, "\"} %" PRId64 "\n", json_i64(b, "count"));
  }
  cli_addf(out, "aiorch_stage_duration_seconds_bucket{stage=\"%s\",le=\"+Inf\"} %" PRId64 "\n", stage->name, json_i64(stage, "count"));
  cli_addf(out, "aiorch_stage_duration_seconds_sum{stage=\"%s\"} ", stage->name);
  add_seconds(out, json_i64(stage, "sum_us"));
  cli_addf(out, "\naiorch_stage_duration_seconds_count{stage=\"%s\"} %" PRId64 "\n", stage->name, json_i64(stage, "count"));
}

static void library_stages(cli_bytes *out, const json_value *figures) {
  const json_value *stages = json_get(figures, "stages");
  head(out, "aiorch_stage_duration_seconds", "histogram", "How long the stages of runs took.");
  for (const json_value *stage = stages ? stages->child : NULL; stage; stage = stage->next) library_stage(out, stage);
}

/* Providers and models are those of the configuration; an address is left out, and two of one name and model are one line. */
static void library_health(cli_bytes *out, const json_value *figures) {
  const json_value *health = json_get(figures, "health");
  head(out, "aiorch_provider_open", "gauge", "1 while a provider is left alone after failures.");
  for (const json_value *h = health ? health->child : NULL; h; h = h->next) {
    const char *place = json_text(h, "endpoint");
    cli_addz(out, "aiorch_provider_open{provider=");
    add_label(out, json_text(h, "provider"));
    cli_addz(out, ",model=");
    add_label(out, json_text(h, "model"));
    cli_addf(out, ",endpoint=\"%.20s\"} %d\n", place, strcmp(json_text(h, "state"), "open") == 0);
  }
}

void endpoint_metrics(endpoint_call *call) {
  aiorch_text *text;
  call->content_type = "text/plain; version=0.0.4; charset=utf-8";
  head(&call->out, "aiorch_build_info", "gauge", "The version of the library.");
  cli_addf(&call->out, "aiorch_build_info{version=\"%s\"} 1\n", aiorch_version_string());
  own_requests(&call->out, &call->server->counts);
  own_connections(&call->out, call->server);
  if (aiorch_metrics_snapshot(call->orch, &text, NULL) != AIORCH_OK) return;
  json_value *figures = json_take(text);
  library_counters(&call->out, figures);
  library_stages(&call->out, figures);
  library_health(&call->out, figures);
  json_free(figures);
}
