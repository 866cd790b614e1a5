/*
 * What providers and embedders say to whoever carries it: the request to be sent, the head of what came back, and what an error
 * means. Neither a socket nor JSON is known here.
 */
#ifndef AIO_NET_WIRE_H
#define AIO_NET_WIRE_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/error.h"

enum {
  AIO__WIRE_HEADERS_MAX = 24,
  AIO__WIRE_HEADER_BYTES_MAX = 8192, /* of one value */
  AIO__WIRE_URL_MAX = 8192,
  AIO__WIRE_BODY_MAX = 64 << 20,
  AIO__WIRE_MESSAGE_MAX = 500,
  AIO__WIRE_ID_MAX = 255
};

typedef struct aio__wire_header {
  aio__str name, value;
  bool secret; /* never logged, never in an error */
} aio__wire_header;

/* How the body of the answer is framed. */
typedef enum aio__wire_framing { AIO__WIRE_WHOLE, AIO__WIRE_SSE, AIO__WIRE_LINES } aio__wire_framing;

/* ---- what is sent ------------------------------------------------------------------------------------------------ */

/* Texts of headers live in `memory`. */
typedef struct aio__wire_request {
  const char *method;
  aio__buf url, body;
  aio__wire_header headers[AIO__WIRE_HEADERS_MAX];
  size_t header_count;
  aio__wire_framing framing; /* that was asked for; what comes may differ */
  aio__arena memory;
} aio__wire_request;

void aio__wire_request_init(aio__wire_request *request, const aio__alloc *al);
/* Overwrites what is secret before it lets go of it. May be used again after another init. */
void aio__wire_request_free(aio__wire_request *request);

/*
 * Joins a base URL as people write it and the path of an interface. "/" at the end of the base, and segments that both have at
 * the seam, stand once: "https://h/v1/" and "/v1/messages" give "https://h/v1/messages", and so does "https://h/v1/messages".
 * A query of the base stays behind the path, before that of the path.
 *
 * AIORCH_E_CONFIG with a message that says what is wrong: no http or https, no host, a user or password in it, a fragment, white
 * space or control characters. AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE.
 */
aiorch_status aio__wire_url(aio__buf *out, aio__str base, aio__str path, aiorch_error *error);
/* Appends a segment of a path: what is no unreserved character becomes %XX, so that no text leaves its segment. */
aiorch_status aio__wire_segment(aio__buf *out, aio__str text);
/* The host of a URL without its port, empty when there is none. Borrowed. */
aio__str aio__wire_host(aio__str url);

/* Adds a header; one of that name is replaced. AIORCH_E_CONFIG for a name that is none, a value with a control character or, of a
 * secret, anything but visible ASCII: the message names the header, never the value. AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE. */
aiorch_status aio__wire_add_header(aio__wire_request *request, aio__str name, aio__str value, bool secret, aiorch_error *error);
/* The key behind `prefix` ("Bearer "), as a secret. */
aiorch_status aio__wire_add_key(aio__wire_request *request, aio__str name, aio__str prefix, aio__str key, aiorch_error *error);

/* ---- what came back ---------------------------------------------------------------------------------------------- */

typedef struct aio__wire_reply {
  int32_t http_status;
  const aio__wire_header *headers;
  size_t header_count;
  int64_t now_ms; /* wall time, for dates in it */
} aio__wire_reply;

bool aio__wire_same_name(aio__str a, const char *b); /* of headers: ASCII letters of either case are the same */
/* Whether `text` has `part` in it, letters of either case. */
bool aio__wire_has(aio__str text, const char *part);
/* The value of the first header of that name, trimmed; empty when there is none. */
aio__str aio__wire_get(const aio__wire_reply *reply, const char *name);

/* How an attempt failed. */
typedef struct aio__wire_error {
  aiorch_status status;    /* AIORCH_OK: it did not; else AIORCH_E_NETWORK ... AIORCH_E_RESPONSE, _TOO_LARGE, _NOMEM */
  int32_t http_status;     /* 0: none came */
  int64_t retry_after_ms;  /* -1: not said */
  int should_retry;        /* x-should-retry: 1, 0; -1: not said */
  bool not_today;          /* a limit of a day or a month is used up: a wait of minutes does not help */
  char request_id[AIO__WIRE_ID_MAX + 1];
  char message[AIO__WIRE_MESSAGE_MAX + 1]; /* one line of UTF-8, without keys */
} aio__wire_error;

/* From status and headers alone, without a message. The id of the request comes from the first header that is there: request-id,
 * x-request-id, x-generation-id, apim-request-id, cf-ray last. */
void aio__wire_error_begin(aio__wire_error *error, const aio__wire_reply *reply);
/* What an HTTP status means by itself; AIORCH_OK for 2xx. */
aiorch_status aio__wire_status(int32_t http_status);
/* Sets the message: one line, at most AIO__WIRE_MESSAGE_MAX bytes, cut between characters. What looks like a key is taken out:
 * `key` (may be empty) or a good part of it, words as services make keys of, values behind "key=" and "Bearer". */
void aio__wire_say(aio__wire_error *error, aio__str message, aio__str key);
/* The same again, with another secret that may be in it. */
void aio__wire_say_without(aio__wire_error *error, aio__str secret);
/* Whether a text shows a secret, or a good part of it. */
bool aio__wire_shows(aio__str text, aio__str secret);

#endif
