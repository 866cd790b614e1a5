/* The other half of openai.c: reading what comes back. */
#ifndef AIO_PROVIDERS_OPENAI_ANSWER_H
#define AIO_PROVIDERS_OPENAI_ANSWER_H

#include "providers/codec.h"

aiorch_status aio__openai_whole(aio__decoder *d);
aiorch_status aio__openai_event(aio__decoder *d, aio__str type);
bool aio__openai_mark(aio__decoder *d, aio__str data);
void aio__openai_fail(const aio__decoder *d, const aio__error_body *body, aio__wire_error *error);

#endif
