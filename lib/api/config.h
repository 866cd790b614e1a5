/* struct aiorch_config: settings and plug-ins on their way to an orchestrator. */
#ifndef AIO_API_CONFIG_H
#define AIO_API_CONFIG_H

#include <aiorch/config.h>

#include "core/clock.h"
#include "core/options.h"
#include "core/plugins.h"
#include "text/json.h"

enum { AIO__CONFIG_TEXT_MAX = 4 << 20 };

struct aiorch_config {
  uint64_t magic;
  aio__alloc al;             /* a copy; options point to it */
  aio__options options;
  aio__plugins plugins;      /* empty, and marked as taken, after aiorch_open took them over */
  const aio__clock *clock;   /* of the orchestrators opened from here */
};

/* AIORCH_OK, or AIORCH_E_INVALID for what is no configuration. */
aiorch_status aio__config_check(const aiorch_config *config);
void aio__config_set_clock(aiorch_config *config, const aio__clock *clock); /* for tests; must outlive what is opened */

/* Sets what a parsed JSON object says, flat or nested, on `options`. `name` and `text` are for messages; `text` is the
 * source whose root `object` is, for line numbers, or empty (also for an object inside another text). With `per_run`
 * only keys that a run may override, and no ${NAME}. Not atomic: give it a copy of the options, and use that only
 * after AIORCH_OK. */
aiorch_status aio__config_apply_json(aio__options *options, const aio__json_value *object, const char *name,
                                     aio__str text, bool per_run, aiorch_error *error);

/* What a file says, and what the environment says. Not atomic either. */
aiorch_status aio__config_apply_file(aio__options *options, const char *path, aiorch_error *error);
aiorch_status aio__config_apply_env(aio__options *options, aiorch_error *error);

/* The line of the member that a path of member numbers leads to in a valid JSON text; 0 when it leads nowhere. */
size_t aio__config_json_line(aio__str text, const size_t *path, size_t depth);

#endif
