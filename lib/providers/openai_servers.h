/* The servers that speak OpenAI's Chat Completions, and how each differs. One declared table. */
#ifndef AIO_PROVIDERS_OPENAI_SERVERS_H
#define AIO_PROVIDERS_OPENAI_SERVERS_H

#include "net/wire.h"
#include "text/error_body.h"

enum {
  AIO__OPENAI_MAX_TOKENS = 1,           /* "max_tokens", where OpenAI has "max_completion_tokens" */
  AIO__OPENAI_NO_STREAM_OPTIONS = 2,    /* refuses it; tokens come in the last chunk unasked */
  AIO__OPENAI_NO_SCHEMA = 4,            /* knows "json_object" only */
  AIO__OPENAI_REASONING_BACK = 8,       /* wants the reasoning of earlier turns back, as "reasoning_content" */
  AIO__OPENAI_EFFORT_OBJECT = 16,       /* "reasoning": {"effort"} */
  AIO__OPENAI_CACHE_MARKERS = 32,       /* hands markers on to those who know them */
  AIO__OPENAI_API_KEY_HEADER = 64,      /* the key in a header of its own */
  AIO__OPENAI_REASONING_OUTSIDE = 128,  /* reasoning tokens are not in completion_tokens */
  AIO__OPENAI_FORBIDDEN_IS_TOO_LONG = 256, /* 403: more tokens than the model takes */
  AIO__OPENAI_TOOL_NAMES = 512          /* results of tools carry the tool's name */
};

typedef struct aio__openai_server {
  const char *name;
  const char *hosts;    /* patterns of aio__prices_match; NULL: only by name */
  const char *base_url; /* where it is when only its name is said; NULL: must be said */
  int stops_max;        /* most stop sequences; 0: as many as there are */
  unsigned flags;
} aio__openai_server;

/* By its name, else by the host of the base URL, else what all of them understand. NULL for a name that is none. */
const aio__openai_server *aio__openai_server_find(aio__str name, aio__str base_url);
/* What an error of that server means. */
void aio__openai_server_fail(const aio__openai_server *server, const aio__error_body *body, aio__wire_error *error);

#endif
