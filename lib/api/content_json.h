/* Content of a request as JSON (schema/request.json) onto a run: lists of parts, tools, schema, stops. */
#ifndef AIO_API_CONTENT_JSON_H
#define AIO_API_CONTENT_JSON_H

#include "pipeline/run_state.h"
#include "text/json.h"

/* The message's content as a list of parts; `index` is the message's place, for words. */
aiorch_status aio__content_read_parts(aiorch_run *run, int32_t role, const aio__json_value *parts, size_t index, aiorch_error *error);
/* Members "tools", "tool_choice", "schema", "schema_name" and "stop" of a request; those that are not there are left alone. */
aiorch_status aio__content_read_wishes(aiorch_run *run, const aio__json_value *request, aiorch_error *error);

#endif
