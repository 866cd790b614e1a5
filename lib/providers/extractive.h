/* The provider that is always there: answers with the best sentences of the sources, and says so. No network, no
 * allocation; time linear in the bytes it reads, which are bounded. It has no model of its own, but asks how near its best
 * sentences are to the question where the request says who knows (aio__call_meaning). */
#ifndef AIO_PROVIDERS_EXTRACTIVE_H
#define AIO_PROVIDERS_EXTRACTIVE_H

#include "core/call.h"

#define AIO__EXTRACTIVE_MODEL "extractive"

enum {
  AIO__EXTRACTIVE_BYTES_MAX = 1 << 20,  /* of all sources together; what comes after is not read */
  AIO__EXTRACTIVE_SENTENCES_MAX = 5,    /* in an answer */
  AIO__EXTRACTIVE_NEAR_MAX = 24,        /* sentences whose nearness to the question is asked for */
  AIO__EXTRACTIVE_ANSWER_BYTES = 2400   /* no further sentence is begun beyond this */
};

/* The one record of it: a provider is this one when it is at this address. Its `self` is NULL. */
extern const aio__plugin_provider aio__extractive;

#endif
