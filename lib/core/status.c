/* Every status: its name, the HTTP status a server answers with, and one line of English. */
#include <aiorch/error.h>

typedef struct status_row {
  aiorch_status status;
  int32_t http;
  const char *name, *text;
} status_row;

static const status_row STATUSES[] = {
  {AIORCH_OK, 200, "OK", "ok"},
  {AIORCH_DONE, 200, "DONE", "nothing more will come"},
  {AIORCH_AGAIN, 200, "AGAIN", "nothing within the timeout; call again"},
  {AIORCH_PENDING, 200, "PENDING", "not finished yet"},
  {AIORCH_PASS, 200, "PASS", "not needed, passed over"},

  {AIORCH_E_INVALID, 400, "INVALID", "an argument is NULL, out of range, or no handle of that kind"},
  {AIORCH_E_NOMEM, 500, "NOMEM", "out of memory"},
  {AIORCH_E_STATE, 409, "STATE", "not possible in the state that the object is in"},
  {AIORCH_E_CANCELLED, 499, "CANCELLED", "cancelled"},
  {AIORCH_E_DEADLINE, 504, "DEADLINE", "the deadline passed"},
  {AIORCH_E_REENTRANT, 500, "REENTRANT", "called from inside a callback of the same object"},
  {AIORCH_E_NOT_FOUND, 404, "NOT_FOUND", "not found"},
  {AIORCH_E_CLOSED, 503, "CLOSED", "the orchestrator is closing or closed"},
  {AIORCH_E_UNSUPPORTED, 500, "UNSUPPORTED", "this build or store cannot do that"},
  {AIORCH_E_TOO_LARGE, 413, "TOO_LARGE", "above a limit"},
  {AIORCH_E_INTERNAL, 500, "INTERNAL", "a fault of libaiorch; please report it"},
  {AIORCH_E_FORKED, 500, "FORKED", "the handle was made before fork(); open a new one in the child"},
  {AIORCH_E_SYSTEM, 500, "SYSTEM", "the operating system refused"},

  {AIORCH_E_CONFIG, 500, "CONFIG", "the settings or plug-ins cannot work together"},
  {AIORCH_E_CONFIG_KEY, 400, "CONFIG_KEY", "no such configuration key"},
  {AIORCH_E_CONFIG_TYPE, 400, "CONFIG_TYPE", "a configuration value of another type"},
  {AIORCH_E_CONFIG_RANGE, 400, "CONFIG_RANGE", "a configuration value out of range"},
  {AIORCH_E_CONFIG_SYNTAX, 400, "CONFIG_SYNTAX", "not JSON as it should be"},
  {AIORCH_E_CONFIG_ENV, 500, "CONFIG_ENV", "a variable is missing in the environment"},

  {AIORCH_E_INVALID_INPUT, 400, "INVALID_INPUT", "the message is empty, too long, not UTF-8, or has a NUL byte"},
  {AIORCH_E_INJECTION, 400, "INJECTION", "an input rule refused the message"},

  {AIORCH_E_RATE_LIMITED, 429, "RATE_LIMITED", "too many requests; try again later"},
  {AIORCH_E_BUDGET_EXCEEDED, 429, "BUDGET_EXCEEDED", "the budget is used up; try again later"},

  {AIORCH_E_DOCUMENT, 422, "DOCUMENT", "the document is empty, not UTF-8, or above a limit"},
  {AIORCH_E_EMBEDDER_MISMATCH, 409, "EMBEDDER_MISMATCH", "what is stored was embedded by another model"},
  {AIORCH_E_MODEL, 500, "MODEL", "a model's files are missing, damaged, or of an architecture that is not supported"},

  {AIORCH_E_PROVIDERS_UNAVAILABLE, 502, "PROVIDERS_UNAVAILABLE", "no provider could answer"},
  {AIORCH_E_OUTPUT_BLOCKED, 422, "OUTPUT_BLOCKED", "the output check refused the answer"},
  {AIORCH_E_NETWORK, 502, "NETWORK", "no connection to the provider, or it broke"},
  {AIORCH_E_PROVIDER_BUSY, 503, "PROVIDER_BUSY", "the provider is busy; it may be tried again"},
  {AIORCH_E_PROVIDER_LIMIT, 503, "PROVIDER_LIMIT", "the provider's rate limit was reached"},
  {AIORCH_E_PROVIDER_KEY, 502, "PROVIDER_KEY", "the provider refused the key, or its quota is used up"},
  {AIORCH_E_PROVIDER_MODEL, 502, "PROVIDER_MODEL", "the provider has no such model"},
  {AIORCH_E_PROVIDER_REJECTED, 502, "PROVIDER_REJECTED", "the provider rejected the request"},
  {AIORCH_E_CONTEXT_WINDOW, 413, "CONTEXT_WINDOW", "the prompt is longer than the model takes"},
  {AIORCH_E_TRUNCATED, 502, "TRUNCATED", "the provider's answer ended before its end"},
  {AIORCH_E_RESPONSE, 502, "RESPONSE", "the provider's answer is not what its interface promises"},

  {AIORCH_E_STORE, 500, "STORE", "the store failed"},
  {AIORCH_E_STORE_DOWN, 503, "STORE_DOWN", "the store cannot be reached, or is busy"},
  {AIORCH_E_STORE_FULL, 503, "STORE_FULL", "no room left where the store is"},
  {AIORCH_E_STORE_READ_ONLY, 503, "STORE_READ_ONLY", "the store may not be written"},
  {AIORCH_E_STORE_NEWER, 500, "STORE_NEWER", "the store was written by a newer libaiorch"},
  {AIORCH_E_STORE_CORRUPT, 500, "STORE_CORRUPT", "what is there is not, or no longer, a store"},

  {AIORCH_E_PLUGIN, 500, "PLUGIN", "a plug-in failed without saying how"},
  {AIORCH_E_PLUGIN_CONTRACT, 500, "PLUGIN_CONTRACT", "a plug-in broke its contract"},
};

static const status_row *find_status(aiorch_status status) {
  for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++) {
    if (STATUSES[i].status == status) return &STATUSES[i];
  }
  return NULL;
}

const char *aiorch_strerror(aiorch_status status) {
  const status_row *row = find_status(status);
  return row == NULL ? "an unknown status" : row->text;
}

const char *aiorch_status_name(aiorch_status status) {
  const status_row *row = find_status(status);
  return row == NULL ? "UNKNOWN" : row->name;
}

int32_t aiorch_status_http(aiorch_status status) {
  const status_row *row = find_status(status);
  if (row != NULL) return row->http;
  return status < 0 ? 500 : 200;
}
