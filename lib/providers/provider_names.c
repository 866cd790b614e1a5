/*
 * See provider_names.h. Models are those of November 2026 that cost/prices.json has a price for: of each maker that of the middle, a small one
 * for simple questions, the largest that is sold by the token for complex ones.
 */
#include "providers/provider_names.h"

static const aio__provider_name NAMES[] = {
    {"anthropic", "anthropic", "", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"},
    {"openai", "openai", "", "gpt-6.1-terra", "gpt-6-luna", "gpt-6.1-sol"},
    {"gemini", "gemini", "", "gemini-3.8-flash", "gemini-3.5-flash-lite", "gemini-3.1-pro-preview"},
    {"ollama", "ollama", "", "llama3.2", "", ""},
    {"azure", "openai", "azure", "", "", ""},
    {"openrouter", "openai", "openrouter", "", "", ""},
    {"groq", "openai", "groq", "", "", ""},
    {"mistral", "openai", "mistral", "", "", ""},
    {"deepseek", "openai", "deepseek", "", "", ""},
    {"together", "openai", "together", "", "", ""},
    {"xai", "openai", "xai", "", "", ""},
    {"huggingface", "openai", "huggingface", "", "", ""},
    {"vllm", "openai", "vllm", "", "", ""},
    {"llamacpp", "openai", "llama.cpp", "default", "", ""}, /* it has the one model that it was started with */
};

const aio__provider_name *aio__provider_name_find(aio__str name) {
  for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
    if (aio__str_eqz(name, NAMES[i].name)) return &NAMES[i];
  }
  return NULL;
}
