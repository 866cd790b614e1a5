/* Fetches a key set. */
#include "jwks_source.h"

#include <curl/curl.h>
#include <string.h>

typedef struct fetch {
  cli_bytes *out;
  bool (*stop)(void *context);
  void *context;
  bool too_large;
} fetch;

/* Keys that came over a wire which others can write to prove nothing. */
bool jwks_fetch_allows(const char *url) {
  static const char *const here[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
  if (strncmp(url, "https://", 8) == 0) return true;
  for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
    size_t len = strlen(here[i]);
    if (strncmp(url, here[i], len) == 0 && (url[len] == ':' || url[len] == '/')) return true;
  }
  return false;
}

static size_t take_bytes(char *data, size_t size, size_t count, void *context) {
  fetch *f = context;
  size_t len = size * count;
  if (len > JWT_SET_MAX_BYTES || f->out->len > JWT_SET_MAX_BYTES - len) {
    f->too_large = true;
    return 0;
  }
  cli_add(f->out, data, len);
  return len;
}

static int ask_stop(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
  fetch *f = context;
  (void)a, (void)b, (void)c, (void)d;
  return f->stop(f->context);
}

static void set_options(CURL *curl, const char *url, const char *ca_file, fetch *f, char *said) {
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, strncmp(url, "https://", 8) == 0 ? "https" : "http");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)JWKS_FETCH_MS);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "aiorch-serve");
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, f);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, ask_stop);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, f);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  if (ca_file[0]) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
}

bool jwks_fetch(const char *url, const char *ca_file, bool (*stop)(void *context), void *context, cli_bytes *out,
                char why[JWT_WHY_MAX]) {
  char said[CURL_ERROR_SIZE] = "";
  fetch f = {out, stop, context, false};
  CURL *curl = curl_easy_init();
  if (!curl) {
    snprintf(why, JWT_WHY_MAX, "libcurl cannot be used");
    return false;
  }
  set_options(curl, url, ca_file, &f, said);
  CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_cleanup(curl);
  if (code == CURLE_OK && status == 200) return true;
  if (f.too_large) snprintf(why, JWT_WHY_MAX, "more than %d bytes came", JWT_SET_MAX_BYTES);
  else if (code == CURLE_OK) snprintf(why, JWT_WHY_MAX, "HTTP status %ld, not 200", status);
  else snprintf(why, JWT_WHY_MAX, "%.200s", said[0] ? said : curl_easy_strerror(code));
  return false;
}
