/*
 * A model's file from the network: https and nothing else, certificates checked, redirects only to https, going on where
 * an earlier try ended. The only file that knows libcurl.
 *
 * A part that is there is gone on with by Range. If-Range with the ETag of its first piece makes the server send all of
 * it when it has changed meanwhile; without an ETag it is gone on with only where a hash will tell.
 */
#include "model.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  TRIES_EMPTY = 4,    /* in a row that brought nothing */
  TRIES_ALL = 50,
  PAUSE_MS = 250,     /* after the first that brought nothing; then twice as long */
  PAUSE_MAX_MS = 8000,
  CONNECT_S = 15,
  SLOW_BYTES = 1000, /* a second: below it for the whole timeout, a try ends */
  REDIRECTS_MAX = 8,
  ETAG_MAX = 512,
  FROM_MAX = 4096
};

typedef struct fetch {
  source_request *r;
  const char *url;
  CURL *curl;
  int fd;
  uint64_t have;     /* bytes in the part */
  uint64_t asked;    /* from where on this try asked */
  bool judged;       /* the head of the answer was looked at */
  bool ignored;      /* its body is no part of the file */
  uint64_t range;    /* where the answer begins, by its Content-Range */
  char etag[ETAG_MAX + 1];
  source_result result; /* of a failure on this side, else SOURCE_OK */
} fetch;

/* ---- what the part came from: its URL and ETag beside it ---- */

static char *from_path(const fetch *f) {
  cli_bytes path = {0};
  cli_addf(&path, "%s.from", f->r->part);
  return path.data;
}

/* The ETag that the part began with, "" when it is not known or was another URL's. */
static void read_from(fetch *f, char etag[ETAG_MAX + 1]) {
  char *path = from_path(f);
  cli_bytes text = {0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  etag[0] = '\0';
  if (fd >= 0 && cli_read_all(fd, FROM_MAX, &text) == 0) {
    size_t url_len = strcspn(cli_z(&text), "\n");
    const char *line = cli_z(&text) + url_len;
    size_t len = *line ? strcspn(line + 1, "\n") : 0;
    if (url_len == strlen(f->url) && memcmp(cli_z(&text), f->url, url_len) == 0 && len <= ETAG_MAX && len > 0) {
      memcpy(etag, line + 1, len);
      etag[len] = '\0';
    }
  }
  if (fd >= 0) close(fd);
  cli_release(&text);
  free(path);
}

static void write_from(const fetch *f) {
  char *path = from_path(f);
  FILE *file = fopen(path, "we");
  if (file) {
    fprintf(file, "%s\n%s\n", f->url, f->etag);
    fclose(file); /* lost, it costs a download from the start */
  }
  free(path);
}

/* ---- what comes ---- */

/* A value of the header `name`, without blanks around it; NULL when the line is another's. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *value_len) {
  size_t name_len = strlen(name);
  if (len <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':') return NULL;
  const char *at = line + name_len + 1, *end = line + len;
  while (at < end && (*at == ' ' || *at == '\t')) at++;
  while (end > at && strchr(" \t\r\n", end[-1])) end--;
  *value_len = (size_t)(end - at);
  return at;
}

static size_t on_header(char *line, size_t size, size_t count, void *context) {
  fetch *f = context;
  size_t len = size * count, value_len = 0;
  const char *value;
  if (len > 5 && strncmp(line, "HTTP/", 5) == 0) { /* a new answer: after a redirect, or 100 Continue */
    f->etag[0] = '\0';
    f->range = UINT64_MAX;
  } else if ((value = header_value(line, len, "etag", &value_len)) != NULL) {
    bool strong = value_len > 2 && value[0] == '"' && value_len <= ETAG_MAX;
    if (strong) memcpy(f->etag, value, value_len);
    f->etag[strong ? value_len : 0] = '\0';
  } else if ((value = header_value(line, len, "content-range", &value_len)) != NULL && value_len > 6 &&
             strncasecmp(value, "bytes ", 6) == 0 && value[6] >= '0' && value[6] <= '9') {
    f->range = strtoull(value + 6, NULL, 10);
  }
  return len;
}

static bool fail(fetch *f, source_result result, const char *format, ...) __attribute__((format(printf, 3, 4)));
static bool fail(fetch *f, source_result result, const char *format, ...) {
  va_list args;
  va_start(args, format);
  cli_addv(f->r->why, format, args);
  va_end(args);
  f->result = result;
  return false;
}

/* The first bytes of a body: does it go on where the part ends, and has it the size that it should have? */
static bool judge(fetch *f) {
  long code = 0;
  curl_off_t length = -1;
  uint64_t wanted = f->r->file->bytes;
  curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &code);
  curl_easy_getinfo(f->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  f->judged = true;
  f->ignored = code != 200 && code != 206;
  if (f->ignored) return true;
  if (code == 206 && f->range != f->asked) {
    return fail(f, SOURCE_WRONG, "the server sent bytes from %" PRIu64 " on, not from %" PRIu64, f->range, f->asked);
  }
  uint64_t start = code == 206 ? f->asked : 0;
  if (wanted && length >= 0 && start + (uint64_t)length != wanted) {
    return fail(f, SOURCE_WRONG, "it has %" PRIu64 " bytes there, not %" PRIu64, start + (uint64_t)length, wanted);
  }
  if (start == 0 && ftruncate(f->fd, 0) != 0) return fail(f, SOURCE_DISK, "%s: %s", f->r->part, strerror(errno));
  f->have = start;
  if (start > 0) f->r->resumed = start;
  write_from(f);
  return true;
}

static bool write_piece(fetch *f, const char *data, size_t len) {
  uint64_t max = f->r->file->bytes ? f->r->file->bytes : MODEL_FILE_MAX;
  if (len > max - f->have) return fail(f, SOURCE_WRONG, "more than %" PRIu64 " bytes come", max);
  while (len > 0) {
    ssize_t written = pwrite(f->fd, data, len, (off_t)f->have);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(f, SOURCE_DISK, "%s: %s", f->r->part, strerror(errno));
    f->have += (uint64_t)written;
    data += written;
    len -= (size_t)written;
  }
  f->r->progress(f->r->context, f->have);
  return true;
}

static size_t on_body(char *data, size_t size, size_t count, void *context) {
  fetch *f = context;
  size_t len = size * count;
  if (!f->judged && !judge(f)) return 0;
  if (f->ignored) return len;
  return write_piece(f, data, len) ? len : 0;
}

static int on_progress(void *context, curl_off_t all, curl_off_t now, curl_off_t up_all, curl_off_t up_now) {
  (void)context, (void)all, (void)now, (void)up_all, (void)up_now;
  return cli_interrupted() ? 1 : 0;
}

/* ---- one try ---- */

static void allow_https_alone(CURL *curl) {
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
}

static void set_up(fetch *f, char error[CURL_ERROR_SIZE]) {
  CURL *curl = f->curl;
  const char *ca = f->r->ca ? f->r->ca : getenv("SSL_CERT_FILE");
  char agent[64];
  allow_https_alone(curl);
  curl_easy_setopt(curl, CURLOPT_URL, f->url);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (ca && *ca) curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)(f->r->timeout_s < CONNECT_S ? f->r->timeout_s : CONNECT_S));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)f->r->timeout_s);
  snprintf(agent, sizeof agent, "aiorch/%s", aiorch_version_string());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, agent);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, f);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, f);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

/* Whether, and from where on, this try goes on with what is there. */
static void choose_range(fetch *f, char range[32], char if_range[ETAG_MAX + 16]) {
  char etag[ETAG_MAX + 1];
  read_from(f, etag);
  bool may = f->have > 0 && (etag[0] || f->r->file->sha256);
  f->asked = may ? f->have : 0;
  snprintf(range, 32, "%" PRIu64 "-", f->asked);
  snprintf(if_range, ETAG_MAX + 16, etag[0] ? "If-Range: %s" : "%s", etag);
}

static CURLcode perform(fetch *f, long *code, char error[CURL_ERROR_SIZE]) {
  char range[32], if_range[ETAG_MAX + 16];
  struct curl_slist *headers = NULL;
  f->judged = f->ignored = false;
  f->etag[0] = '\0';
  f->range = UINT64_MAX;
  error[0] = '\0';
  f->curl = curl_easy_init();
  if (!f->curl) return CURLE_OUT_OF_MEMORY;
  set_up(f, error);
  choose_range(f, range, if_range);
  if (f->asked > 0) curl_easy_setopt(f->curl, CURLOPT_RANGE, range);
  if (f->asked > 0 && if_range[0]) headers = curl_slist_append(headers, if_range);
  if (headers) curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, headers);
  CURLcode result = curl_easy_perform(f->curl);
  if (result == CURLE_OK && !f->judged) (void)judge(f); /* an empty body */
  curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, code);
  curl_slist_free_all(headers);
  curl_easy_cleanup(f->curl);
  f->curl = NULL;
  return result;
}

/* ---- tries ---- */

static bool may_try_again(CURLcode result, long code) {
  switch (result) {
    case CURLE_OK:
      return code == 408 || code == 416 || code == 429 || code >= 500;
    case CURLE_PARTIAL_FILE: case CURLE_RECV_ERROR: case CURLE_SEND_ERROR: case CURLE_GOT_NOTHING:
    case CURLE_OPERATION_TIMEDOUT: case CURLE_HTTP2: case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

/* None after a try that brought something. */
static void pause_between(int empty) {
  int ms = empty == 0 ? 0 : PAUSE_MS << (empty < 6 ? empty - 1 : 5);
  for (int left = ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS; left > 0 && !cli_interrupted(); left -= 50) {
    struct timespec nap = {0, 50000000};
    nanosleep(&nap, NULL);
  }
}

/* Words for what ended the last try. */
static source_result explain(fetch *f, CURLcode result, long code, const char *error) {
  if (cli_interrupted()) return SOURCE_INTERRUPTED;
  if (f->result != SOURCE_OK) return f->result;
  if (result == CURLE_OK && code == 404) {
    cli_addf(f->r->why, "%s: there is no such file (404)", f->url);
    return SOURCE_NO_FILE;
  }
  if (result == CURLE_OK) {
    cli_addf(f->r->why, "%s: the server says %ld", f->url, code);
    return SOURCE_UNREACHED;
  }
  if (result == CURLE_UNSUPPORTED_PROTOCOL) {
    cli_addf(f->r->why, "%s: it redirects to something else than https, which is not followed", f->url);
    return SOURCE_WRONG;
  }
  cli_addf(f->r->why, "%s: %s", f->url, error[0] ? error : curl_easy_strerror(result));
  if (f->have > 0) cli_addf(f->r->why, "; %" PRIu64 " bytes are kept, and the next pull goes on there", f->have);
  return SOURCE_UNREACHED;
}

static source_result try_all(fetch *f) {
  char error[CURL_ERROR_SIZE];
  int empty = 0;
  for (int i = 0;; i++) {
    long code = 0;
    uint64_t before = f->have;
    CURLcode result = perform(f, &code, error);
    bool whole = result == CURLE_OK && f->result == SOURCE_OK && (code == 200 || code == 206);
    if (whole) return SOURCE_OK;
    empty = f->have > before ? 0 : empty + 1;
    bool over = empty >= TRIES_EMPTY || i + 1 >= TRIES_ALL || f->result != SOURCE_OK || cli_interrupted();
    if (over || !may_try_again(result, code)) return explain(f, result, code, error);
    if (code == 416) { /* the part is no beginning of what is there now */
      if (ftruncate(f->fd, 0) == 0) f->have = 0;
    }
    pause_between(empty);
  }
}

source_result model_fetch(source_request *r, const char *url) {
  fetch f = {.r = r, .url = url, .fd = open(r->part, O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
  struct stat st;
  if (f.fd < 0 || fstat(f.fd, &st) != 0) {
    cli_addf(r->why, "%s: %s", r->part, strerror(errno));
    if (f.fd >= 0) close(f.fd);
    return SOURCE_DISK;
  }
  source_result result = SOURCE_OK;
  f.have = (uint64_t)st.st_size;
  if (r->file->bytes && f.have > r->file->bytes) f.have = 0;
  bool whole = r->file->bytes && f.have == r->file->bytes && r->file->sha256;
  if (whole) {
    r->resumed = f.have;
  } else {
    result = try_all(&f);
  }
  if (close(f.fd) != 0 && result == SOURCE_OK) {
    cli_addf(r->why, "%s: %s", r->part, strerror(errno));
    result = SOURCE_DISK;
  }
  return result;
}
