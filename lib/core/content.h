/*
 * What is said to a model besides plain text, and what comes back besides it: parts of messages, tools, the shape of the
 * answer. One set of words for the api, the pipeline, calls and codecs. All texts are borrowed.
 */
#ifndef AIO_CORE_CONTENT_H
#define AIO_CORE_CONTENT_H

#include "core/str.h"

enum {
  AIO__PARTS_MAX = 4096,  /* of one message */
  AIO__TOOLS_MAX = 128,   /* offered, and called in one answer */
  AIO__STOPS_MAX = 16
};

/* ---- what is said ------------------------------------------------------------------------------------------------ */

typedef enum aio__part_kind {
  AIO__PART_TEXT,
  AIO__PART_IMAGE,       /* base64 in `text`, with its media type */
  AIO__PART_IMAGE_URL,   /* its URL in `text` */
  AIO__PART_TOOL_CALL,   /* of the assistant: id, name, arguments as a JSON object in `text` (empty: {}) */
  AIO__PART_TOOL_RESULT, /* id and name of the call, what came of it in `text` */
  AIO__PART_REASONING    /* of the assistant, with its signature; sent back where a provider wants that */
} aio__part_kind;

typedef struct aio__part {
  aio__part_kind kind;
  aio__str text, media_type, id, name;
  aio__str signature; /* opaque: of AIO__EVENT_SIGNATURE */
  bool redacted;      /* REASONING: the signature is all there is */
  bool is_error;      /* TOOL_RESULT */
  bool cache;         /* the prompt up to here is worth keeping in the provider's cache */
} aio__part;

typedef struct aio__tool {
  aio__str name, description;
  aio__str schema; /* of its arguments: a JSON object; empty: no arguments */
  bool cache;
} aio__tool;

typedef enum aio__tool_choice {
  AIO__TOOLS_DEFAULT, /* not said */
  AIO__TOOLS_AUTO,
  AIO__TOOLS_NONE,
  AIO__TOOLS_ANY,     /* some tool must be called */
  AIO__TOOLS_ONE      /* the tool `tool_name` */
} aio__tool_choice;

typedef enum aio__effort {
  AIO__EFFORT_DEFAULT, /* not said */
  AIO__EFFORT_NONE,
  AIO__EFFORT_MINIMAL,
  AIO__EFFORT_LOW,
  AIO__EFFORT_MEDIUM,
  AIO__EFFORT_HIGH,
  AIO__EFFORT_XHIGH,
  AIO__EFFORT_MAX
} aio__effort;

/* What a request may ask for besides its messages. All zero: nothing. */
typedef struct aio__wishes {
  bool cache_system, cache_long; /* cache_long: markers ask for the longer life, where there is one */
  const aio__tool *tools;
  size_t tool_count;
  aio__tool_choice tool_choice;
  aio__str tool_name;
  bool one_tool_at_a_time;
  aio__str schema, schema_name; /* of the answer: a JSON schema; empty: plain text. Its name, where one is sent: "answer" */
  const aio__str *stops;
  size_t stop_count;
  aio__effort effort;
} aio__wishes;

/* ---- what comes back --------------------------------------------------------------------------------------------- */

typedef enum aio__event_kind {
  AIO__EVENT_TEXT,
  AIO__EVENT_REASONING,
  AIO__EVENT_SIGNATURE,      /* of the reasoning (tool -1) or of a tool call: to be sent back with it, untouched */
  AIO__EVENT_REDACTED,       /* reasoning of which there is but a signature */
  AIO__EVENT_TOOL_START,     /* id and name */
  AIO__EVENT_TOOL_ARGUMENTS, /* the next piece of its JSON object */
  AIO__EVENT_TOOL_END,
  AIO__EVENT_WARNING,
  AIO__EVENT_STOP            /* the stop sequence that ended the answer */
} aio__event_kind;

/* Borrowed until the callback returns. Texts are valid UTF-8 without NUL; a piece never splits a character. */
typedef struct aio__codec_event {
  aio__event_kind kind;
  int32_t tool; /* number of the tool call, from 0 in the order of their start; -1 */
  aio__str text, id, name;
} aio__codec_event;

#endif
