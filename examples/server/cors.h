/*
 * Which pages of other places a browser may let use this server (CORS). Nothing here stands in for keys; but a page that nobody named
 * must not be able to spend money through the browser of somebody who reaches a server without keys, so that its requests are refused.
 */
#ifndef CORS_H
#define CORS_H

#include "http_front.h"

typedef struct cors {
  bool any;         /* "*" */
  cli_list origins; /* "https://app.example.org", "http://localhost:3000" */
  int64_t max_age_s;
} cors;

/* Origins separated by commas, or "*". False after `why` names the one that is none. */
bool cors_read(cors *out, const char *list, int64_t max_age_s, char why[256]);
void cors_free(cors *c);
/* False: the request comes from a page that may not, and `why` is what to answer. A request without Origin, or from a page of this
 * very host, comes through. */
bool cors_allows(const cors *c, const http_request *request, http_problem *why);
/* Sets what goes with the answer; for the question that a browser asks before the request itself (OPTIONS), what it asked. */
void cors_headers(const cors *c, const http_request *request, http_headers *out);

#endif
