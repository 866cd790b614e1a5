/* Where the store is when nobody says, and reading the small files that settings name. */
#ifndef AIO_PIPELINE_STORE_PLACE_H
#define AIO_PIPELINE_STORE_PLACE_H

#include "core/buf.h"
#include "core/error.h"

enum { AIO__STORE_PLACE_MAX = 4096, AIO__DATA_FILE_MAX = 16 << 20 };

/* `setting` as it is, or for "" $XDG_DATA_HOME/aiorch, else $HOME/.local/share/aiorch, whose parents are made. */
aiorch_status aio__store_place(const char *setting, aio__buf *out, aiorch_error *error);
/* The same for the folder of the spool: "" is $XDG_DATA_HOME/aiorch-spool, else $HOME/.local/share/aiorch-spool. */
aiorch_status aio__spool_place(const char *setting, aio__buf *out, aiorch_error *error);
/* AIORCH_E_NOT_FOUND, AIORCH_E_SYSTEM, AIORCH_E_TOO_LARGE, AIORCH_E_NOMEM; the message names setting and path. */
aiorch_status aio__read_file(const char *path, aio__buf *out, const char *setting, aiorch_error *error);

#endif
