/*
 * libaiorch - what a message may hold besides text, what an answer may be asked to be, and what comes back besides text:
 * images, tools and their results, reasoning, a JSON schema, stop sequences.
 *
 * The library hands tool calls to the host and never runs them. A conversation goes on like this:
 *
 *   aiorch_run_add_tool(run, "weather", ...);           // what the model may call
 *   aiorch_run_add_message(run, AIORCH_ROLE_USER, ...);
 *   aiorch_run_execute(run);                            // AIORCH_FINISH_TOOL_CALLS
 *   aiorch_run_tool_call(run, 0, ...);                  // id, name, arguments
 *   ... the host runs it; then, on a new run, after the same messages:
 *   aiorch_run_add_tool_call(next, id, name, arguments);
 *   aiorch_run_add_tool_result(next, id, name, text);
 *   aiorch_run_execute(next);
 *
 * Parts are added to the last message, so that they come after its text. What a provider cannot take is left out with a warning or
 * refused, as "providers.NAME.unsupported" says; docs/providers.md has the table. All of it is part of the scope of the cache: an
 * answer to one image never serves for another. Answers that call tools are not kept.
 *
 * The functions that add return AIORCH_OK, AIORCH_E_INVALID (NULL, not UTF-8, not what it says it is; the words are
 * aiorch_run_error's), AIORCH_E_STATE (the run has begun, or there is no message to add to), AIORCH_E_TOO_LARGE (a limit, which the
 * words name), AIORCH_E_NOMEM, AIORCH_E_REENTRANT, AIORCH_E_FORKED. Texts are copied.
 *
 * Threads: as run.h.  Since: 0.1
 */
#ifndef AIORCH_CONTENT_H
#define AIORCH_CONTENT_H

#include <aiorch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- parts of messages --------------------------------------------------------------------------------------------- */

/** Adds text to the last message, after its parts; with an empty line between this and the text before it. */
AIORCH_API aiorch_status aiorch_run_add_text(aiorch_run *run, const char *text, size_t len);

/**
 * Adds an image to the last message, which must be the user's or a tool's.
 *
 * @param media_type  NUL-terminated: "image/png", "image/jpeg", "image/gif" or "image/webp".
 * @param base64  RFC 4648 with padding, without line ends; all messages and parts of a run have 16 MiB.
 */
AIORCH_API aiorch_status aiorch_run_add_image(aiorch_run *run, const char *media_type, const char *base64, size_t len);

/** The same by its URL (https, or http, or data:), which the provider fetches, never the library; at most 8,192 bytes. */
AIORCH_API aiorch_status aiorch_run_add_image_url(aiorch_run *run, const char *url, size_t len);

/**
 * Says that the assistant called a tool, as aiorch_run_tool_call gave it. Added to the last message when that is the assistant's, else
 * to a new one without text.
 *
 * @param id  as it came; at most 255 bytes, not empty.
 * @param arguments  a JSON object; empty stands for {}.
 */
AIORCH_API aiorch_status aiorch_run_add_tool_call(aiorch_run *run, const char *id, size_t id_len, const char *name, size_t name_len,
                                                  const char *arguments, size_t arguments_len);

/**
 * Says what came of a tool call: a new message of the role tool. Its text is checked by the validate stage, as every tool's.
 *
 * @param is_error  not 0: the tool failed, and the text says how.
 */
AIORCH_API aiorch_status aiorch_run_add_tool_result(aiorch_run *run, const char *id, size_t id_len, const char *name, size_t name_len,
                                                    const char *text, size_t text_len, int32_t is_error);

/**
 * Gives back the reasoning of an earlier answer, which some providers need before its tool calls. Added like a tool call.
 *
 * @param text  empty when the provider kept it to itself: then the signature is all there is.
 * @param signature  as it came; may be empty.
 */
AIORCH_API aiorch_status aiorch_run_add_reasoning(aiorch_run *run, const char *text, size_t text_len, const char *signature,
                                                  size_t signature_len);

/** Gives the last tool call that was added the signature that came with it (aiorch_run_tool_call_signature). */
AIORCH_API aiorch_status aiorch_run_add_signature(aiorch_run *run, const char *signature, size_t len);

/** Marks the end of the last message as a place up to which the provider should cache the prompt (Anthropic). */
AIORCH_API aiorch_status aiorch_run_add_cache_marker(aiorch_run *run);

/* ---- what is asked for --------------------------------------------------------------------------------------------- */

/** Whether the model must call a tool. */
enum {
  AIORCH_TOOLS_DEFAULT = 0, /**< as the provider decides */
  AIORCH_TOOLS_AUTO = 1,
  AIORCH_TOOLS_NONE = 2,
  AIORCH_TOOLS_ANY = 3,     /**< one at least */
  AIORCH_TOOLS_ONE = 4      /**< the one that is named */
};

/**
 * Offers a tool; at most 128.
 *
 * @param name  1 to 64 of [A-Za-z0-9_-], offered once.
 * @param description  may be empty.
 * @param schema  JSON schema of its arguments, an object; empty: it takes none.
 */
AIORCH_API aiorch_status aiorch_run_add_tool(aiorch_run *run, const char *name, size_t name_len, const char *description,
                                             size_t description_len, const char *schema, size_t schema_len);

/** @param choice  AIORCH_TOOLS_*.  @param name  of AIORCH_TOOLS_ONE, a tool that was offered; else ignored. */
AIORCH_API aiorch_status aiorch_run_set_tool_choice(aiorch_run *run, int32_t choice, const char *name, size_t name_len);

/**
 * Asks for an answer that is JSON of this schema. The library does not check that it is.
 *
 * @param schema  a JSON schema, an object.
 * @param name  1 to 64 of [A-Za-z0-9_-]; empty: "answer".
 */
AIORCH_API aiorch_status aiorch_run_set_schema(aiorch_run *run, const char *schema, size_t schema_len, const char *name,
                                               size_t name_len);

/** Adds a text at which the answer stops; at most 16 of at most 255 bytes. */
AIORCH_API aiorch_status aiorch_run_add_stop(aiorch_run *run, const char *text, size_t len);

/* ---- what comes back -----------------------------------------------------------------------------------------------
 * Lent as aiorch_run_answer is. They return AIORCH_OK; AIORCH_E_INVALID for NULL or an index out of range. */

/** The number of tool calls of the answer that are complete and checked. */
AIORCH_API size_t aiorch_run_tool_call_count(const aiorch_run *run);

/** Tool call number `index`: its id and name, NUL-terminated, and its arguments, a JSON object. Outputs may be NULL. */
AIORCH_API aiorch_status aiorch_run_tool_call(const aiorch_run *run, size_t index, const char **id, const char **name,
                                              const char **arguments, size_t *arguments_len);

/** What some providers want back with a tool call, untouched; "" when there is none. */
AIORCH_API aiorch_status aiorch_run_tool_call_signature(const aiorch_run *run, size_t index, const char **out, size_t *out_len);

/** Which of the run's stop sequences ended the answer; "" when none did, and when its provider does not say which (Anthropic and vLLM
 *  do). An answer from the cache says what it said when it was made. */
AIORCH_API aiorch_status aiorch_run_stop_sequence(const aiorch_run *run, const char **out, size_t *out_len);

/** The number of pieces of reasoning, where the provider shows it. They are given back in their order, before the tool calls. */
AIORCH_API size_t aiorch_run_reasoning_count(const aiorch_run *run);

/** Piece number `index` of what the model thought: its text (empty: the provider keeps it to itself) and its signature ("" when there
 *  is none), which may be NULL when it is not wanted. */
AIORCH_API aiorch_status aiorch_run_reasoning(const aiorch_run *run, size_t index, const char **text, size_t *text_len,
                                              const char **signature, size_t *signature_len);

#ifdef __cplusplus
}
#endif
#endif
