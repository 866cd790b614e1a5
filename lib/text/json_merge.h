/* Laying one JSON object over another: how a user's own members get into a request without the library knowing them. */
#ifndef AIO_TEXT_JSON_MERGE_H
#define AIO_TEXT_JSON_MERGE_H

#include "core/buf.h"
#include "core/error.h"

enum { AIO__MERGE_BYTES_MAX = 1 << 20, AIO__MERGE_DEPTH_MAX = 32 };

/*
 * Replaces `body`, a JSON object, by itself with the members of `over` in it. Those win; where both have an object, the two are
 * merged member by member; values are written as they stood, numbers to the last digit. An empty `over` changes nothing.
 *
 * AIORCH_E_CONFIG with the place of the fault when `over` is no JSON object, has a member twice or is nested too deeply; AIORCH_E_TOO_LARGE;
 * AIORCH_E_NOMEM. `name` is how messages call it. After a failure the body is as it was.
 */
aiorch_status aio__json_merge(aio__buf *body, aio__str over, const char *name, aiorch_error *error);

#endif
