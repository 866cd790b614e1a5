/*
 * The progress bar: share, files, rate and time left, on stderr, only when that is a terminal.
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

static void eta_text(const cli_progress *p, int64_t elapsed_ms, char out[16]) {
  uint64_t left = p->bytes_all > p->bytes ? p->bytes_all - p->bytes : 0;
  if (p->bytes == 0 || elapsed_ms < 200) {
    snprintf(out, 16, "--:--");
    return;
  }
  uint64_t seconds = left * (uint64_t)elapsed_ms / p->bytes / 1000;
  if (seconds > 359999) seconds = 359999;
  if (seconds >= 3600) {
    snprintf(out, 16, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600, seconds / 60 % 60, seconds % 60);
  } else {
    snprintf(out, 16, "%" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
  }
}

static void draw(cli_progress *p, int64_t now_ms) {
  int64_t elapsed = now_ms - p->started_ms;
  uint64_t share = p->bytes_all ? p->bytes * 100 / p->bytes_all : 100;
  if (share > 100) share = 100;
  char rate[32], eta[16];
  cli_size_text(elapsed > 0 ? p->bytes * 1000 / (uint64_t)elapsed : 0, rate);
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
  fprintf(stderr, "%3" PRIu64 "%% %" PRIu64 "/%" PRIu64 " files %s/s ETA %s\033[K", share, p->files, p->files_all,
          rate, eta);
  fflush(stderr);
  p->drawn_ms = now_ms;
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
