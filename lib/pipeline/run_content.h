/* Parts of messages, tools, the shape of the answer: filling a run before it begins, and what came back besides text. */
#ifndef AIO_PIPELINE_RUN_CONTENT_H
#define AIO_PIPELINE_RUN_CONTENT_H

#include "pipeline/run_state.h"

enum {
  AIO__TOOL_NAME_MAX = 64,
  AIO__TOOL_ID_MAX = 255,
  AIO__STOP_BYTES_MAX = 255,
  AIO__IMAGE_URL_MAX = 8192,
  AIO__SCHEMA_DEPTH_MAX = 64
};

/* As include/aiorch/content.h says of each. The words of a failure are on the run. */
aiorch_status aio__run_add_text(aiorch_run *run, aio__str text);
aiorch_status aio__run_add_image(aiorch_run *run, aio__str media_type, aio__str base64);
aiorch_status aio__run_add_image_url(aiorch_run *run, aio__str url);
aiorch_status aio__run_add_tool_call(aiorch_run *run, aio__str id, aio__str name, aio__str arguments);
aiorch_status aio__run_add_tool_result(aiorch_run *run, aio__str id, aio__str name, aio__str text, bool is_error);
aiorch_status aio__run_add_reasoning(aiorch_run *run, aio__str text, aio__str signature);
aiorch_status aio__run_add_signature(aiorch_run *run, aio__str signature);
aiorch_status aio__run_add_cache_marker(aiorch_run *run);
aiorch_status aio__run_add_tool(aiorch_run *run, aio__str name, aio__str description, aio__str schema);
aiorch_status aio__run_set_tool_choice(aiorch_run *run, int32_t choice, aio__str name);
aiorch_status aio__run_set_schema(aiorch_run *run, aio__str schema, aio__str name);
aiorch_status aio__run_add_stop(aiorch_run *run, aio__str text);

/* Is there anything in the message besides its text? */
bool aio__message_has_parts(const aio__message *message);
/* All that is no plain text of messages, as length-prefixed fields; nothing when there is none. */
void aio__run_content_digest(const aiorch_run *run, aio__sha256 *h);
/* By the estimate: parts, tools, schema. */
size_t aio__run_content_tokens(const aiorch_run *run);
/* What the run wishes of the answer, with its settings. */
void aio__run_wishes(const aiorch_run *run, aio__wishes *out);

#endif
