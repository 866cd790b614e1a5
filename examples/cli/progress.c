/*
 * The progress bar: share, files or what else is counted, rate and time left, on stderr, only when that is a terminal.
 */
#include "cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { REDRAW_MS = 100, BAR_MAX = 30, TEXT_WIDTH = 52 };

void cli_progress_begin(cli_progress *p, const cli *c, uint64_t files, uint64_t bytes) {
  const char *term = getenv("TERM");
  bool able = c->err_is_terminal && !(term && strcmp(term, "dumb") == 0);
  *p = (cli_progress){.shown = able && !c->opt.quiet && !c->opt.json && !c->opt.stream_json,
                      .width = c->width,
                      .color = c->color_err,
                      .started_ms = cli_mono_ms(),
                      .files_all = files,
                      .bytes_all = bytes};
}

/* What was done since it began. */
static uint64_t made(const cli_progress *p) { return p->bytes > p->bytes_before ? p->bytes - p->bytes_before : 0; }

static void eta_text(const cli_progress *p, int64_t elapsed_ms, char out[16]) {
  uint64_t left = p->bytes_all > p->bytes ? p->bytes_all - p->bytes : 0;
  if (made(p) == 0 || elapsed_ms < 200) {
    snprintf(out, 16, "--:--");
    return;
  }
  uint64_t seconds = left * (uint64_t)elapsed_ms / made(p) / 1000;
  if (seconds > 359999) seconds = 359999;
  if (seconds >= 3600) {
    snprintf(out, 16, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600, seconds / 60 % 60, seconds % 60);
  } else {
    snprintf(out, 16, "%" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
  }
}

static void draw(cli_progress *p, int64_t now_ms) {
  int64_t elapsed = now_ms - p->started_ms;
  uint64_t share = p->bytes_all ? p->bytes * 100 / p->bytes_all : p->files_all ? p->files * 100 / p->files_all : 100;
  uint64_t per_second = elapsed > 0 ? made(p) * 1000 / (uint64_t)elapsed : 0;
  if (share > 100) share = 100;
  char rate[32], eta[16];
  cli_size_text(per_second, rate);
  eta_text(p, elapsed, eta);
  int bar = p->width - TEXT_WIDTH;
  if (bar > BAR_MAX) bar = BAR_MAX;
  fputc('\r', stderr);
  if (bar >= 5) {
    int full = (int)((uint64_t)bar * share / 100);
    fprintf(stderr, "[%s", p->color ? "\033[32m" : "");
    for (int i = 0; i < bar; i++) fputc(i < full ? '#' : '.', stderr);
    fprintf(stderr, "%s] ", p->color ? "\033[0m" : "");
  }
  if (p->unit) {
    fprintf(stderr, "%3" PRIu64 "%% %" PRIu64 "/%" PRIu64 " %s %" PRIu64 "/s ETA %s\033[K", share, p->bytes, p->bytes_all,
            p->unit, per_second, eta);
  } else {
    fprintf(stderr, "%3" PRIu64 "%% %" PRIu64 "/%" PRIu64 " files %s/s ETA %s\033[K", share, p->files, p->files_all,
            rate, eta);
  }
  fflush(stderr);
  p->drawn_ms = now_ms;
}

void cli_progress_count(cli_progress *p, const cli *c, const char *unit, uint64_t all) {
  cli_progress_begin(p, c, 0, all);
  p->unit = unit;
}

void cli_progress_to(cli_progress *p, uint64_t done) {
  p->bytes = done;
  if (!p->shown) return;
  int64_t now = cli_mono_ms();
  if (now - p->drawn_ms >= REDRAW_MS || done == p->bytes_all) draw(p, now);
}

void cli_progress_step(cli_progress *p, uint64_t bytes) {
  p->files++;
  p->bytes += bytes;
  if (!p->shown) return;
  int64_t now = cli_mono_ms();
  if (now - p->drawn_ms >= REDRAW_MS || p->files == p->files_all) draw(p, now);
}

void cli_progress_clear(cli_progress *p) {
  if (!p->shown) return;
  fputs("\r\033[K", stderr);
  fflush(stderr);
}
