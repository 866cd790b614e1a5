/*
 * The settings of one provider behind HTTP: keys "providers.NAME.KEY", in JSON {"providers": {"NAME": {"KEY": ...}}}. NAME is what
 * the chain, the rows and the events call it: 1 to 63 of [a-z0-9_-], not "extractive". Setting any key of a name makes the provider;
 * its place in the chain, unless "generate.chain" says otherwise, is that of its first key, after the plug-ins.
 *
 *   S(member, key, default, allowed values or NULL, secret, help)     I(member, key, default, min, max, help)     B(member, key, default, help)
 *
 * A secret is never described with its value, logged, or part of an error.
 */
#ifndef AIO_CORE_PROVIDER_SETTINGS_H
#define AIO_CORE_PROVIDER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/alloc.h"
#include "core/error.h"
#include "core/str.h"

#define AIO__PROVIDER_SETTINGS(S, I, B)                                                                                   \
  S(api, "api", "", "anthropic|openai|gemini|ollama|", 0,                                                                 \
    "The interface it speaks. Empty: as its name says (openai, groq, openrouter, ... speak openai).")                    \
  S(base_url, "base_url", "", NULL, 0,                                                                                    \
    "Its address; several, separated by commas, each with a weight (\"https://a.example/v1 *3\"). Empty: the service's own.")    \
  S(key, "key", "", NULL, 1,                                                                                              \
    "Its key; several, separated by commas, each with a weight (\"${KEY_A} *3, ${KEY_B}\"). With several addresses: one for all, or "\
    "one for each in their order.")                                                                                       \
  S(model, "model", "", NULL, 0, "The model asked for when the run names none. Empty: see docs/providers.md.")            \
  S(model_simple, "model_simple", "", NULL, 0, "The model for the tier \"simple\"; empty: \"model\".")                      \
  S(model_complex, "model_complex", "", NULL, 0, "The model for the tier \"complex\"; empty: \"model\".")                   \
  S(version, "version", "", NULL, 0, "Anthropic: its date. Gemini: \"v1beta\".")                                            \
  S(server, "server", "", NULL, 0, "openai: the dialect (\"groq\", \"vllm\", ...). Empty: by the host.")                      \
  S(headers, "headers", "", NULL, 1, "More headers: a JSON object of texts.")                                             \
  S(options, "options", "", NULL, 0, "A JSON object laid over every request; \"generate.provider_options\" is laid over it.") \
  S(unsupported, "unsupported", "drop", "drop|refuse", 0,                                                                 \
    "A parameter that the model does not take: left out with a warning, or an error before anything is sent.")           \
  B(bearer, "bearer", 0, "Anthropic: the key as \"Authorization: Bearer\".")                                                \
  B(stream, "stream", 1, "Whether answers are asked for as streams.")                                                     \
  I(context_tokens, "context_tokens", 0, 0, 100000000, "Tokens that its model reads; 0: not known. Orders the providers after one whose window was too small.") \
  I(connect_ms, "connect_ms", 5000, 1, 600000, "Longest wait for name, connection and TLS.")                              \
  I(first_byte_ms, "first_byte_ms", 60000, 1, 3600000, "Longest wait for the head of the answer.")                        \
  I(first_token_ms, "first_token_ms", 60000, 1, 3600000, "Longest wait from then on for the first token of a stream.")   \
  I(idle_ms, "idle_ms", 20000, 1, 3600000, "Longest wait between two tokens of a stream.")

enum { AIO__PROVIDER_KEY_MAX = 64 /* keys, and addresses, of one provider */ };

typedef struct aio__provider_settings {
  char *name;
#define AIO__PS_STR(member, key, default_, values, secret, help) char *member;
#define AIO__PS_I64(member, key, default_, min, max, help) int64_t member;
#define AIO__PS_BOOL(member, key, default_, help) int32_t member;
  AIO__PROVIDER_SETTINGS(AIO__PS_STR, AIO__PS_I64, AIO__PS_BOOL)
#undef AIO__PS_STR
#undef AIO__PS_I64
#undef AIO__PS_BOOL
} aio__provider_settings;

/* In the order in which their first keys were set. All zero: none. Part of aio__options. */
typedef struct aio__provider_list {
  aio__provider_settings **items;
  size_t count, cap;
} aio__provider_list;

enum { AIO__PROVIDER_SETTINGS_NAME_MAX = 63, AIO__PROVIDER_SETTINGS_MAX = 64 /* providers of one configuration */ };

bool aio__provider_settings_name(aio__str name); /* is it one that a provider may have? */
aio__provider_settings *aio__provider_list_find(const aio__provider_list *list, aio__str name); /* NULL */
/* The provider of that name, made with every setting at its default when it is not there. AIORCH_E_CONFIG_KEY for a name that is none,
 * AIORCH_E_TOO_LARGE, AIORCH_E_NOMEM; nothing has changed then. */
aiorch_status aio__provider_list_add(const aio__alloc *al, aio__provider_list *list, aio__str name, aio__provider_settings **out,
                                     aiorch_error *error);
/* `to` is raw memory. AIORCH_E_NOMEM: nothing is left in it. */
aiorch_status aio__provider_list_copy(const aio__alloc *al, aio__provider_list *to, const aio__provider_list *from);
void aio__provider_list_free(const aio__alloc *al, aio__provider_list *list); /* secrets are overwritten; may be called again */

#endif
