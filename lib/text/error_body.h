/*
 * The body of a failed answer, whatever shape it has. Services and what stands before them send objects in objects, texts, lists
 * of texts, lists of objects, JSON in a text, pages of HTML, or nothing.
 */
#ifndef AIO_TEXT_ERROR_BODY_H
#define AIO_TEXT_ERROR_BODY_H

#include "text/json_tape.h"

enum { AIO__ERROR_BODY_SHOWN_MAX = 512 }; /* bytes of a body without structure that are shown */

/* Texts are borrowed from the tape, the body, or `memory`; empty when they are not there. */
typedef struct aio__error_body {
  const aio__tape *tape;   /* empty when the body is no JSON */
  aio__tape_value error;   /* the object that tells most: {"error": {...}}, or the root; AIO__TAPE_NONE */
  aio__str message, type, code;
  int64_t number;          /* "code" or "status" when it is a number; 0 */
} aio__error_body;

/* From a body. `tape` is used for it. AIORCH_OK, also for what is no JSON; AIORCH_E_NOMEM. */
aiorch_status aio__error_body_read(aio__tape *tape, aio__str body, aio__buf *memory, aio__error_body *out);
/* From a value of a tape that was read already: an event that carries an error. */
aiorch_status aio__error_body_of(const aio__tape *tape, aio__tape_value root, aio__buf *memory, aio__error_body *out);

#endif
