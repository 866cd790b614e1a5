/* See wire.h: what a failed answer means, and what of it may be said. */
#include "net/wire.h"

#include <string.h>

#include "net/retry_after.h"

enum { KEY_PART_MIN = 8, KEY_WORD_MIN = 12 };

aiorch_status aio__wire_status(int32_t http_status) {
  if (http_status >= 200 && http_status < 300) return AIORCH_OK;
  if (http_status < 400) return AIORCH_E_RESPONSE; /* a redirect that was not followed, or no HTTP at all */
  switch (http_status) {
    case 401:
    case 402:
    case 403: return AIORCH_E_PROVIDER_KEY;
    case 404:
    case 405:
    case 410: return AIORCH_E_PROVIDER_MODEL; /* no such model, or no such interface at this address */
    case 407: return AIORCH_E_NETWORK;        /* the proxy wants to know who we are */
    case 408:
    case 409:
    case 425:
    case 498:                                 /* Groq: no capacity in the flex tier */
    case 499: return AIORCH_E_PROVIDER_BUSY;  /* gRPC's CANCELLED */
    case 429: return AIORCH_E_PROVIDER_LIMIT;
    default: return http_status < 500 ? AIORCH_E_PROVIDER_REJECTED : AIORCH_E_PROVIDER_BUSY;
  }
}

void aio__wire_error_begin(aio__wire_error *error, const aio__wire_reply *reply) {
  static const char *const ids[] = {"request-id", "x-request-id", "x-generation-id", "apim-request-id", "cf-ray"};
  *error = (aio__wire_error){.retry_after_ms = -1, .should_retry = -1};
  error->http_status = reply->http_status;
  error->status = aio__wire_status(reply->http_status);
  error->retry_after_ms =
      aio__retry_after_ms(aio__wire_get(reply, "retry-after"), aio__wire_get(reply, "retry-after-ms"), reply->now_ms);
  aio__str say = aio__wire_get(reply, "x-should-retry");
  if (aio__str_eqz(say, "true")) error->should_retry = 1;
  if (aio__str_eqz(say, "false")) error->should_retry = 0;
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    aio__str id = aio__wire_get(reply, ids[i]);
    if (id.n == 0 || aio__utf8_check(id, NULL) < id.n) continue;
    size_t n = aio__utf8_cut(id, AIO__WIRE_ID_MAX);
    memcpy(error->request_id, id.p, n);
    error->request_id[n] = '\0';
    return;
  }
}

/* ---- the message ------------------------------------------------------------------------------------------------- */

/* One character more, if it fits. Line feeds, tabs and control characters become one space. */
static void put(aio__wire_error *error, size_t *n, const char *bytes, size_t len) {
  if (*n + len > AIO__WIRE_MESSAGE_MAX) return;
  memcpy(error->message + *n, bytes, len);
  *n += len;
  error->message[*n] = '\0';
}

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
         c == '*' || c == '/' || c == '+' || c == '=' || c == '~';
}

/* Whether the word shares a run of KEY_PART_MIN bytes with the key: services show its begin or its end. */
bool aio__wire_shows(aio__str word, aio__str key) {
  if (word.n < KEY_PART_MIN || key.n < KEY_PART_MIN) return false;
  for (size_t i = 0; i + KEY_PART_MIN <= word.n; i++) {
    for (size_t k = 0; k + KEY_PART_MIN <= key.n; k++) {
      if (memcmp(word.p + i, key.p + k, KEY_PART_MIN) == 0) return true;
    }
  }
  return false;
}

static bool looks_like_a_key(aio__str word) {
  static const char *const begins[] = {"sk-",   "sk_",  "pk-",   "rk-",  "AIza", "AQ.",  "hf_",   "gsk_", "xai-", "r8_", "tgp_",
                                       "nvapi-", "fw_", "AKIA", "ASIA", "ya29.", "eyJ", "pplx-", "csk-", "dsk-", "ghp_"};
  if (word.n >= 4 && memchr(word.p, '*', word.n) && aio__wire_has(word, "***")) return true;
  if (word.n < KEY_WORD_MIN) return false;
  for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
    if (aio__str_starts(word, aio__str_z(begins[i]))) return true;
  }
  return false;
}

/* Where the value begins in "key=..." and the like; 0 for none. */
static size_t value_at(aio__str word) {
  static const char *const names[] = {"key=", "api_key=", "apikey=", "api-key=", "token=", "access_token=", "password="};
  for (size_t i = 0; i < word.n; i++) {
    if (word.p[i] != '=') continue;
    aio__str name = aio__str_n(word.p, i + 1);
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
      size_t n = strlen(names[k]);
      if (name.n >= n && aio__wire_same_name(aio__str_n(name.p + name.n - n, n), names[k])) return i + 1;
    }
  }
  return 0;
}

static size_t put_word(aio__wire_error *error, size_t n, aio__str word, bool behind_bearer, aio__str key) {
  size_t value = value_at(word);
  if ((behind_bearer && word.n >= KEY_PART_MIN) || aio__wire_shows(word, key) || looks_like_a_key(word)) {
    put(error, &n, "[key]", 5);
  } else if (value > 0 && value < word.n) {
    if (n + value <= AIO__WIRE_MESSAGE_MAX) put(error, &n, word.p, value);
    put(error, &n, "[key]", 5);
  } else {
    size_t fits = AIO__WIRE_MESSAGE_MAX - n;
    put(error, &n, word.p, word.n < fits ? word.n : fits);
  }
  return n;
}

void aio__wire_say(aio__wire_error *error, aio__str message, aio__str key) {
  size_t n = 0, pos = 0;
  bool space = false, behind_bearer = false;
  message = aio__str_trim(message);
  error->message[0] = '\0';
  while (pos < message.n && n < AIO__WIRE_MESSAGE_MAX) {
    size_t end = pos;
    while (end < message.n && is_word(message.p[end])) end++;
    if (end > pos) {
      aio__str word = aio__str_n(message.p + pos, end - pos);
      n = put_word(error, n, word, behind_bearer, key);
      behind_bearer = aio__wire_same_name(word, "bearer");
      pos = end;
      space = false;
      continue;
    }
    size_t start = pos;
    uint32_t c = aio__utf8_next(message, &pos);
    bool blank = c <= 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029;
    if (!blank) put(error, &n, c == UINT32_MAX ? "?" : message.p + start, c == UINT32_MAX ? 1 : pos - start);
    else if (!space) put(error, &n, " ", 1);
    space = blank;
    if (!blank) behind_bearer = false;
  }
}

void aio__wire_say_without(aio__wire_error *error, aio__str secret) {
  char message[AIO__WIRE_MESSAGE_MAX + 1];
  memcpy(message, error->message, sizeof message);
  aio__wire_say(error, aio__str_z(message), secret);
}
