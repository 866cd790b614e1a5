/*
 * Numbers for people: sizes, times, money, moments.
 */
#include "cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void cli_size_text(uint64_t bytes, char out[32]) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  uint64_t scale = 1;
  while (unit + 1 < sizeof units / sizeof units[0] && bytes / scale >= 1000) {
    scale *= 1000;
    unit++;
  }
  if (unit == 0) {
    snprintf(out, 32, "%" PRIu64 " B", bytes);
  } else {
    snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " %s", bytes / scale, bytes % scale / (scale / 10), units[unit]);
  }
}

void cli_time_text(int64_t us, char out[32]) {
  if (us < 0) us = 0;
  if (us < 10000) {
    snprintf(out, 32, "%" PRId64 ".%" PRId64 " ms", us / 1000, us % 1000 / 100);
  } else if (us < 1000000) {
    snprintf(out, 32, "%" PRId64 " ms", us / 1000);
  } else if (us < 60000000) {
    snprintf(out, 32, "%" PRId64 ".%" PRId64 " s", us / 1000000, us % 1000000 / 100000);
  } else if (us < INT64_C(3600000000)) {
    snprintf(out, 32, "%" PRId64 " min %" PRId64 " s", us / 60000000, us / 1000000 % 60);
  } else {
    snprintf(out, 32, "%" PRId64 " h %" PRId64 " min", us / INT64_C(3600000000), us / 60000000 % 60);
  }
}

void cli_usd_text(int64_t nano_usd, char out[40]) {
  enum { NANO = 1000000000 };
  uint64_t amount = nano_usd < 0 ? 0 - (uint64_t)nano_usd : (uint64_t)nano_usd;
  int len = snprintf(out, 40, "%s$%" PRIu64 ".%09" PRIu64, nano_usd < 0 ? "-" : "", amount / NANO, amount % NANO);
  while (len > 0 && out[len - 1] == '0') out[--len] = '\0';
  if (len > 0 && out[len - 1] == '.') out[len - 1] = '\0';
}

void cli_date_text(int64_t ms, char out[32]) {
  time_t seconds = (time_t)(ms / 1000);
  struct tm parts;
  if (!localtime_r(&seconds, &parts) || strftime(out, 32, "%Y-%m-%d %H:%M", &parts) == 0) snprintf(out, 32, "?");
}

static int64_t clock_ms(clockid_t id) {
  struct timespec now;
  clock_gettime(id, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t cli_now_ms(void) { return clock_ms(CLOCK_REALTIME); }

int64_t cli_mono_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

int64_t cli_mono_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* "7d": that long ago. */
static bool ago(const char *text, int64_t now_ms, int64_t *out) {
  static const struct {
    char unit;
    int64_t ms;
  } units[] = {{'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
  char *end;
  if (*text < '0' || *text > '9') return false;
  long long count = strtoll(text, &end, 10);
  if (count > 1000000 || end[0] == '\0' || end[1] != '\0') return false;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    if (*end != units[i].unit) continue;
    *out = now_ms - count * units[i].ms;
    return true;
  }
  return false;
}

bool cli_seconds(const char *text, int64_t *out) {
  static const struct {
    char unit;
    int64_t s;
  } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
  char *end;
  if (*text < '0' || *text > '9') return false;
  long long count = strtoll(text, &end, 10);
  if (count > 1000000000 || (*end && end[1] != '\0')) return false;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    if (*end != units[i].unit) continue;
    *out = count * units[i].s;
    return true;
  }
  return false;
}

bool cli_moment(const char *text, int64_t now_ms, int64_t *out) {
  static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ"};
  if (ago(text, now_ms, out)) return true;
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    struct tm parts;
    memset(&parts, 0, sizeof parts);
    const char *rest = strptime(text, forms[i], &parts);
    if (!rest || *rest) continue;
    int day = parts.tm_mday, month = parts.tm_mon;
    time_t seconds = timegm(&parts);
    if (parts.tm_mday != day || parts.tm_mon != month) return false; /* 31 February */
    *out = (int64_t)seconds * 1000;
    return true;
  }
  return false;
}
