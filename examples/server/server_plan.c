/*
 * What of the settings is the front's: limits, and the files of its certificate.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, DESCRIPTORS_KEPT = 128 };

/* Each connection is a descriptor; some are kept for the store, providers and what else is opened. */
static int64_t connections_of(const server_settings *t) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > (rlim_t)INT64_MAX) return t->connections_max;
  int64_t all = (int64_t)limit.rlim_cur, most = all - (all > 2 * DESCRIPTORS_KEPT ? DESCRIPTORS_KEPT : all / 2);
  return t->connections_max < most ? t->connections_max : most;
}

static char *read_file(const char *path, const char *setting, char why[256]) {
  cli_bytes text = {0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int error = fd < 0 ? errno : cli_read_all(fd, FILE_MAX, &text);
  if (fd >= 0) close(fd);
  if (!error && strstr(cli_z(&text), "-----BEGIN ")) return text.data;
  if (error) snprintf(why, 256, "server.%s: %.150s cannot be read: %s", setting, path, strerror(error));
  else snprintf(why, 256, "server.%s: %.150s: this is no PEM file", setting, path);
  cli_release(&text);
  return NULL;
}

static http_limits limits_of(const server_settings *t) {
  return (http_limits){.head_bytes = (size_t)t->head_max_bytes, .uri_bytes = (size_t)t->uri_max_bytes, .bodies_bytes = (size_t)t->bodies_max_bytes,
                       .stream_buffer_bytes = (size_t)t->stream_buffer_bytes, .connections = connections_of(t),
                       .connections_per_address = t->connections_per_address, .head_timeout_ms = t->head_timeout_ms,
                       .body_timeout_ms = t->body_timeout_ms, .body_bytes_per_s = t->body_bytes_per_s, .idle_ms = t->idle_ms,
                       .write_timeout_ms = t->write_timeout_ms, .half_closed = t->half_closed};
}

bool front_plan_read(front_plan *plan, const server_settings *t, char why[256]) {
  bool tls = *t->tls_certificate || *t->tls_key;
  *plan = (front_plan){.limits = limits_of(t)};
  if (tls && (!*t->tls_certificate || !*t->tls_key)) {
    snprintf(why, 256, "server.tls.certificate and server.tls.key belong together: one of them is missing");
    return false;
  }
  if (!tls) return true;
  plan->certificate = read_file(t->tls_certificate, "tls.certificate", why);
  if (plan->certificate) plan->key = read_file(t->tls_key, "tls.key", why);
  return plan->key != NULL;
}

void front_plan_free(front_plan *plan) {
  if (plan->key) explicit_bzero(plan->key, strlen(plan->key));
  free(plan->certificate);
  free(plan->key);
  *plan = (front_plan){0};
}
