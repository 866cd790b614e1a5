/*
 * The names that a server goes by. A page can have its own name resolve to 127.0.0.1, upon which the browser takes the server there for
 * that page's own (DNS rebinding), and asks it without a question and with whatever the page says. Only the name tells: it is in Host.
 */
#ifndef HOST_NAMES_H
#define HOST_NAMES_H

#include "http_front.h"

typedef struct host_names {
  bool any;       /* "*" */
  cli_list names; /* "ai.example.org", "*.example.org" */
} host_names;

/* Names separated by commas, or "*". False after `why` names the one that is none. */
bool host_names_read(host_names *out, const char *list, char why[256]);
void host_names_free(host_names *names);
/* False: Host is a name that nobody gave this server, and `why` is what to answer. What nobody else's name resolves to comes through: an
 * address, localhost and names below it; and a request without Host, which is no browser's. X-Forwarded-Host is not looked at: a page
 * can write it. */
bool host_names_allow(const host_names *names, const http_request *request, http_problem *why);

#endif
