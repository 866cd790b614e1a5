/* The strict scan that a JSON text passes before cJSON sees it. */
#ifndef AIO_TEXT_JSON_SCAN_H
#define AIO_TEXT_JSON_SCAN_H

#include "text/json.h"

/* AIORCH_OK for a text as aio__json_parse promises it; else its errors. */
aiorch_status aio__json_scan(const aio__alloc *al, aio__str text, const aio__json_limits *limits, aiorch_error *error);

#endif
