/* In place of http.c, http_entry.c and http_watch.c in a build without libcurl. */
#include "net/http.h"

aiorch_status aio__http_open(const aio__http_options *options, const aio__alloc *al, const aio__clock *clock, aio__log *log,
                             aio__counters *counters, aio__transport **out, aiorch_error *error) {
  (void)options;
  (void)al;
  (void)clock;
  (void)log;
  (void)counters;
  (void)out;
  return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                        "this libaiorch was built without HTTP (AIORCH_WITH_HTTP); providers by plug-in still work");
}
