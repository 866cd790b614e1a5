/* What the name of a provider says of it: its interface, its address, the models it is asked for when no others are set. One declared table. */
#ifndef AIO_PROVIDERS_PROVIDER_NAMES_H
#define AIO_PROVIDERS_PROVIDER_NAMES_H

#include "core/str.h"

/* Empty texts: must be set. */
typedef struct aio__provider_name {
  const char *name, *api;
  const char *server; /* openai: its dialect, by name; "": by the host */
  const char *model, *model_simple, *model_complex;
} aio__provider_name;

const aio__provider_name *aio__provider_name_find(aio__str name); /* NULL */

#endif
