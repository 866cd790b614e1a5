/*
 * A transport that plays scripts in virtual time: bytes, pauses, splits and faults, no socket and no thread. What was asked is kept.
 *
 *   static const script_event answer[] = {HEAD(200, "content-type: text/event-stream"), PAUSE(100), BYTES("data: ..."), END};
 *   scripted_transport_init(&t, &clock);
 *   scripted_transport_add(&t, "api.openai.com", answer, COUNT(answer));
 *   ... t.transport, with t.clock as everybody's clock ...
 *
 * The clock of the transport is that of `clock`, but whoever waits on it is woken when something of a script is due.
 */
#ifndef AIO_TESTS_SCRIPTED_TRANSPORT_H
#define AIO_TESTS_SCRIPTED_TRANSPORT_H

#include "net/transport.h"
#include "support/virtual_clock.h"

enum { SCRIPTS_MAX = 64, SCRIPTED_REQUESTS_MAX = 256 };

typedef enum script_kind { SCRIPT_HEAD, SCRIPT_BYTES, SCRIPT_PAUSE, SCRIPT_END, SCRIPT_FAIL } script_kind;

typedef struct script_event {
  script_kind kind;
  int32_t http_status;
  const char *text; /* HEAD: "name: value|name: value"; BYTES; FAIL: the message */
  size_t len;
  int64_t ms;
  aiorch_status status;
  bool unsent;
} script_event;

#define HEAD(status_, headers_) {.kind = SCRIPT_HEAD, .http_status = (status_), .text = (headers_)}
#define BYTES(literal) {.kind = SCRIPT_BYTES, .text = (literal), .len = sizeof(literal) - 1}
#define PAUSE(ms_) {.kind = SCRIPT_PAUSE, .ms = (ms_)}
#define END {.kind = SCRIPT_END}
#define FAIL(status_, words_) {.kind = SCRIPT_FAIL, .status = (status_), .text = (words_)}
#define REFUSED {.kind = SCRIPT_FAIL, .status = AIORCH_E_NETWORK, .text = "connection refused", .unsent = true}
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

typedef struct script {
  const char *url_has; /* for requests whose URL has this in it; "" for any */
  const script_event *events;
  size_t count;
  bool again;          /* it is not used up */
  bool used;
} script;

typedef struct scripted_request {
  char *url, *headers, *body; /* headers: "name: value\n" each, in their order */
  aio__exchange_limits limits;
  int64_t at_ns;
} scripted_request;

typedef struct scripted_transport {
  aio__transport transport;
  aio__clock clock;
  virtual_clock *time;
  script scripts[SCRIPTS_MAX];
  size_t script_count;
  scripted_request requests[SCRIPTED_REQUESTS_MAX];
  size_t request_count;
  size_t piece;             /* most bytes that one take gives; 0: all there is */
  aiorch_status fail_start; /* what start returns, if not AIORCH_OK */
  int live, closed;         /* exchanges that were not dropped; how often it was closed */
  struct aio__exchange *exchanges;
} scripted_transport;

void scripted_transport_init(scripted_transport *t, virtual_clock *time);
void scripted_transport_free(scripted_transport *t); /* what it has kept; asserts that nothing is out */
/* The first script that fits and was not used is played; those with `again` are never used up. */
void scripted_transport_add(scripted_transport *t, const char *url_has, const script_event *events, size_t count);
void scripted_transport_always(scripted_transport *t, const char *url_has, const script_event *events, size_t count);

#endif
