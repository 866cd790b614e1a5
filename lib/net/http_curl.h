/* What http.c and http_handle.c share of libcurl: the one file that includes its header. */
#ifndef AIO_NET_HTTP_CURL_H
#define AIO_NET_HTTP_CURL_H

#include <curl/curl.h>

#include "net/http_private.h"

#if LIBCURL_VERSION_NUM < 0x075500
#error "libaiorch needs libcurl 7.85 or newer; -DAIORCH_WITH_HTTP=OFF builds it without"
#endif

/* libcurl's own object for a transfer, used for one exchange after the other. */
typedef struct aio__http_handle {
  CURL *curl;
  struct aio__http_handle *next;
  bool used, https; /* by whom it was used before: a part of its options stays */
  const aio__proxy *proxy;
  CURLU *url; /* that of the exchange before, taken apart already; NULL: libcurl has been given none so */
  char *url_text;
  char error[CURL_ERROR_SIZE];
} aio__http_handle;

/* Pausing streams of HTTP/2 is broken in one version of libcurl or another (7.84, 8.3, 8.16): those are taken, up to response_max. */
static inline bool aio__http_may_pause(const aio__exchange *e) {
  return !e->multiplexed;
}

/* One whose options are those of every transfer. NULL without memory. */
aio__http_handle *aio__http_handle_take(aio__http *h);
void aio__http_handle_give_back(aio__http *h, aio__http_handle *x);
void aio__http_handle_free(aio__http *h, aio__http_handle *x);
/* Fails for lack of memory alone; a URL that libcurl does not like shows when the transfer begins. */
bool aio__http_handle_set_request(aio__http *h, aio__exchange *e, aio__http_handle *x);

#endif
