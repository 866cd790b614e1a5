/*
 * The proxy that a variable of the environment names, and the hosts that are reached without it. Pure but for the reading of the
 * variable. That it is decided here and not by libcurl has a reason: whoever must be told that a proxy is in the way has to be told
 * which, by which variable, and without its password.
 */
#ifndef AIO_NET_PROXY_H
#define AIO_NET_PROXY_H

#include "core/alloc.h"
#include "core/error.h"
#include "core/str.h"

typedef struct aio__proxy {
  char *url;     /* as the variable has it; NULL: no proxy */
  char *through; /* "through the proxy http://host:port (https_proxy)", without name and password */
  aio__str login; /* what stands before the '@' of the URL, with both ends in `url`; n is 0 for none */
} aio__proxy;

/* The first of `names` (NULL at the end) that is set and not empty. AIORCH_E_NOMEM. */
aiorch_status aio__proxy_read(const aio__alloc *al, const char *const *names, aio__proxy *out);
/* Wipes the login. */
void aio__proxy_free(const aio__alloc *al, aio__proxy *proxy);
/*
 * Is the host reached without a proxy? `no_proxy` (NULL: none) is a list with commas or blanks between: "*" is every host, "name" and
 * ".name" are that host and all below it, addresses are themselves, "10.0.0.0/8" and "fd00::/8" all that begin like them.
 * `host` is "name", "name:port", "[::1]:port".
 */
bool aio__proxy_spares(const char *no_proxy, aio__str host);
/* Are name or password in the text? */
bool aio__proxy_shows(const aio__proxy *proxy, const char *text);

#endif
