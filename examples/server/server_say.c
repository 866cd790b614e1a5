/*
 * Lines on stderr. Who reads them may be slow, or stand still (a pipe that is full, a terminal that was stopped): nobody here waits for
 * that, so that a line may be lost, but no request.
 */
#include "server.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

enum { REST_MS = 50, TROUBLE_EVERY_MS = 10000 };

/* A pipe that says it has room takes so much at once. Only the rest of a line that has begun is waited for, and not for long. */
bool server_write_line(const char *text, size_t len) {
  for (size_t at = 0; at < len;) {
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    size_t n = len - at < PIPE_BUF ? len - at : PIPE_BUF;
    if (poll(&out, 1, at ? REST_MS : 0) <= 0 || !(out.revents & POLLOUT)) return false;
    ssize_t written = write(STDERR_FILENO, text + at, n);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += (size_t)written;
  }
  return true;
}

void server_say(const char *format, ...) {
  cli_bytes line = {0};
  va_list args;
  cli_addz(&line, "aiorch serve: ");
  va_start(args, format);
  cli_addv(&line, format, args);
  va_end(args);
  cli_addc(&line, '\n');
  (void)server_write_line(line.data, line.len);
  cli_release(&line);
}

/* Of a store that is away each request would say so. */
void server_trouble(server *s, const http_problem *why) {
  int64_t now = cli_mono_ms(), last = atomic_load(&s->trouble_ms);
  if (!why->own[0] || (last && now - last < TROUBLE_EVERY_MS)) return;
  if (atomic_compare_exchange_strong(&s->trouble_ms, &last, now)) server_say("requests fail: %s", why->own);
}
