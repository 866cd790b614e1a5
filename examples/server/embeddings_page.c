/* See embeddings_page.h. */
#include "embeddings_page.h"

#include "run_making.h"

#include <stdlib.h>
#include <string.h>

typedef struct asked {
  const char **texts;
  size_t *lens, count;
  const body_node *model;
  bool base64;
  int64_t dimensions; /* 0: not asked for */
  int32_t purpose;
  const cli_list *warnings;
} asked;

/* ---- the request ---- */

static bool add_text(asked *a, const body_node *text, http_problem *why) {
  if (text->type != BODY_TEXT || text->len == 0) {
    return http_problem_set(why, 400, NULL, "input", "input: must be a text or a list of texts, none empty; tokens are not taken");
  }
  a->texts[a->count] = text->text;
  a->lens[a->count++] = text->len;
  return true;
}

static bool take_input(asked *a, const body_node *input, http_problem *why) {
  size_t count = input && input->type == BODY_ARRAY ? body_count(input) : 1;
  if (!input || count == 0) return http_problem_set(why, 400, NULL, "input", "input: needed: a text or a list of texts");
  if (count > EMBEDDINGS_TEXTS_MAX) {
    return http_problem_set(why, 400, NULL, "input", "input: has %zu texts; at most %d at once", count, EMBEDDINGS_TEXTS_MAX);
  }
  a->texts = cli_alloc(count * sizeof *a->texts);
  a->lens = cli_alloc(count * sizeof *a->lens);
  if (input->type != BODY_ARRAY) return add_text(a, input, why);
  for (const body_node *text = input->child; text; text = text->next) {
    if (!add_text(a, text, why)) return false;
  }
  return true;
}

static bool take_format(asked *a, const body_node *format, http_problem *why) {
  a->base64 = body_is(format, "base64");
  if (!format || a->base64 || body_is(format, "float")) return true;
  return http_problem_set(why, 400, NULL, "encoding_format", "encoding_format: must be \"float\" or \"base64\"");
}

/* {"purpose": "query"}: models that were taught two kinds of texts want to know which it is. */
static bool take_purpose(asked *a, const body_node *own, http_problem *why) {
  const body_node *purpose = body_get(own, "purpose");
  a->purpose = body_is(purpose, "query") ? AIORCH_PURPOSE_QUERY : AIORCH_PURPOSE_PASSAGE;
  bool known = !purpose || body_is(purpose, "query") || body_is(purpose, "document");
  if ((!own || own->type == BODY_OBJECT) && known && body_count(own) <= (purpose ? 1u : 0u)) return true;
  return http_problem_set(why, 400, NULL, "aiorch", "aiorch: must be {\"purpose\": \"query\"} or \"document\"");
}

enum { M_INPUT, M_MODEL, M_FORMAT, M_DIMENSIONS, M_USER, M_OWN, MEMBER_COUNT };

static const member_spec MEMBERS[MEMBER_COUNT] = {
    [M_INPUT] = {"input", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_MODEL] = {"model", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_FORMAT] = {"encoding_format", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_DIMENSIONS] = {"dimensions", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
    [M_USER] = {"user", MEMBER_IGNORED, BODY_NULL, "\"\"", "who calls is known by the key"},
    [M_OWN] = {"aiorch", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
};

static bool take(asked *a, making *m, http_problem *why) {
  const body_node *f[MEMBER_COUNT] = {0};
  if (!making_members(m, MEMBERS, MEMBER_COUNT, f)) return false;
  a->model = f[M_MODEL];
  if (!a->model || a->model->type != BODY_TEXT) {
    return http_problem_set(why, 400, NULL, "model", "model: needed: \"aiorch\", or the name of the embedder's model");
  }
  if (f[M_DIMENSIONS] && (!body_i64(f[M_DIMENSIONS], &a->dimensions) || a->dimensions < 1)) {
    return http_problem_set(why, 400, NULL, "dimensions", "dimensions: must be a whole number above 0");
  }
  return take_format(a, f[M_FORMAT], why) && take_purpose(a, f[M_OWN], why) && take_input(a, f[M_INPUT], why);
}

/* ---- the answer ---- */

static void add_base64(cli_bytes *out, const unsigned char *bytes, size_t len) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < len; i += 3) {
    size_t left = len - i;
    uint32_t bits = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0u);
    char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                    left > 2 ? digits[bits & 63] : '='};
    cli_add(out, four, sizeof four);
  }
}

/* The numbers as float32, the least byte first, whatever this processor does. */
static void put_base64(json_print *p, const body_node *numbers) {
  size_t count = body_count(numbers), at = 0;
  unsigned char *bytes = cli_alloc(count * 4);
  for (const body_node *one = numbers->child; one; one = one->next, at += 4) {
    double value = 0;
    uint32_t bits;
    (void)body_f64(one, &value);
    float single = (float)value;
    memcpy(&bits, &single, sizeof bits);
    for (size_t i = 0; i < 4; i++) bytes[at + i] = (unsigned char)(bits >> (8 * i));
  }
  cli_bytes text = {0};
  cli_addc(&text, '"');
  add_base64(&text, bytes, count * 4);
  cli_addc(&text, '"');
  jp_raw(p, cli_z(&text), text.len);
  cli_release(&text);
  free(bytes);
}

/* One result of the library: {"tokens", "truncated", "embedding"}. False when it is not what it should be. */
static bool put_result(json_print *p, const asked *a, const char *json, size_t len, int64_t index) {
  body_json result;
  const body_node *numbers = body_parse(&result, json, len) ? body_get(result.root, "embedding") : NULL;
  if (numbers) {
    jp_open(p, '{');
    jp_kz(p, "object", "embedding");
    jp_ki64(p, "index", index);
    jp_key(p, "embedding");
    if (a->base64) {
      put_base64(p, numbers);
    } else {
      jp_raw(p, numbers->raw, numbers->raw_len);
    }
    jp_close(p, '}');
  }
  body_free(&result);
  return numbers != NULL;
}

/* The members of the report that are no vectors: what stands before "results", as an object. */
typedef struct report {
  char model[256];
  int64_t dimensions, tokens;
  bool truncated;
} report;

static bool read_report(const char *json, size_t len, report *out) {
  const char *end = json + len, *at = json + 1, *element;
  size_t element_len;
  cli_bytes head = {0};
  bool key = true, results = false;
  cli_addc(&head, '{');
  while (json_raw_next(&at, end, &element, &element_len)) { /* keys and values by turns */
    if (key) {
      results = element_len == 9 && memcmp(element, "\"results\"", 9) == 0;
      if (!results && head.len > 1) cli_addc(&head, ',');
    }
    if (!results) cli_add(&head, element, element_len);
    if (key && !results) cli_addc(&head, ':');
    key = !key;
  }
  cli_addc(&head, '}');
  body_json body;
  bool good = body_parse(&body, cli_z(&head), head.len);
  const body_node *model = body_get_text(body.root, "model"), *truncated = body_get(body.root, "truncated");
  *out = (report){.truncated = truncated && truncated->type == BODY_BOOL ? truncated->truth : false};
  int64_t cut = 0;
  if (body_i64(truncated, &cut)) out->truncated = cut > 0;
  (void)body_i64(body_get(body.root, "dimensions"), &out->dimensions);
  (void)body_i64(body_get(body.root, "tokens"), &out->tokens);
  snprintf(out->model, sizeof out->model, "%.*s", model ? (model->len < 255 ? (int)model->len : 255) : 0, model ? model->text : "");
  body_free(&body);
  cli_release(&head);
  return good;
}

/* "aiorch" is whatever is there; else the library's name of it, MODEL/DIGEST/PRECISION or SERVICE:MODEL:DIMENSIONS, or the MODEL in it. */
static bool is_that_model(const body_node *asked_for, const char *model) {
  const char *colon = strchr(model, ':'), *last = strrchr(model, ':'), *slash = strchr(model, '/');
  const char *from = colon && last > colon ? colon + 1 : model, *end = colon && last > colon ? last : slash ? slash : model + strlen(model);
  bool named = asked_for->len == (size_t)(end - from) && memcmp(asked_for->text, from, asked_for->len) == 0;
  return named || body_is(asked_for, "aiorch") || body_is(asked_for, model);
}

static bool put_answer(endpoint_call *call, const asked *a, const char *json, size_t len, http_problem *why) {
  report r;
  const char *at = json_raw_member(json, len, "results"), *element;
  size_t element_len;
  int64_t index = 0;
  if (!at || !read_report(json, len, &r)) return http_problem_of(why, AIORCH_E_INTERNAL, NULL);
  if (!is_that_model(a->model, r.model)) {
    http_problem_set(why, 404, "model_not_found", "model", "the model \"%.*s\" is not the one that this server embeds with: use \"aiorch\", "
                     "or \"%.200s\"", a->model->len < 100 ? (int)a->model->len : 100, a->model->text, r.model);
    why->type = "invalid_request_error"; /* as OpenAI says it */
    return false;
  }
  if (a->dimensions && a->dimensions != r.dimensions) {
    return http_problem_set(why, 400, NULL, "dimensions", "dimensions: this model has %lld", (long long)r.dimensions);
  }
  json_print p = {.out = call->out};
  jp_open(&p, '{');
  jp_kz(&p, "object", "list");
  jp_key(&p, "data");
  jp_open(&p, '[');
  bool good = true;
  while (good && json_raw_next(&at, json + len, &element, &element_len)) good = put_result(&p, a, element, element_len, index++);
  jp_close(&p, ']');
  jp_kz(&p, "model", r.model);
  jp_key(&p, "usage");
  jp_open(&p, '{');
  jp_ki64(&p, "prompt_tokens", r.tokens);
  jp_ki64(&p, "total_tokens", r.tokens);
  jp_close(&p, '}');
  jp_key(&p, "aiorch");
  jp_open(&p, '{');
  jp_key(&p, "truncated");
  jp_bool(&p, r.truncated);
  exchange_warnings_member(a->warnings, &p);
  jp_close(&p, '}');
  jp_close(&p, '}');
  call->out = p.out;
  if (good) return true;
  cli_clear(&call->out);
  return http_problem_of(why, AIORCH_E_INTERNAL, NULL);
}

/* A service's model is SERVICE:MODEL:DIMENSIONS, and its words are those of the price list. A model of the machine has no colon, and costs
 * nothing; a plug-in of the host's is not here. */
static bool settle(endpoint_call *call, aiorch_run *run, const char *json, size_t len) {
  report r = {.tokens = 0};
  if (json && !read_report(json, len, &r)) r.model[0] = '\0';
  char *model = strchr(r.model, ':'), *last = strrchr(r.model, ':');
  if (!model || model == last) return endpoint_settle(call, run, NULL, NULL, 0);
  *model = *last = '\0';
  return endpoint_settle(call, run, r.model, model + 1, r.tokens);
}

/* False: `why` is to be told. */
static bool embed(endpoint_call *call, const asked *a, aiorch_run *run, http_problem *why) {
  aiorch_text *text = NULL;
  aiorch_error *error = NULL;
  const char *json = "";
  size_t len = 0;
  aiorch_status status = aiorch_error_new(&error);
  if (status == AIORCH_OK) status = aiorch_embed(call->orch, a->purpose, a->texts, a->lens, a->count, EMBEDDINGS_TIMEOUT_MS, &text, error);
  bool good = status == AIORCH_OK;
  if (good) aiorch_text_get(text, &json, &len);
  if (!settle(call, run, good ? json : NULL, len)) {
    good = true; /* what is wrong is told */
  } else if (good) {
    good = put_answer(call, a, json, len, why);
  } else {
    http_problem_of(why, status, error);
    if (status == AIORCH_E_UNSUPPORTED) { /* no embedder is a model that is not there */
      why->status = 404;
      why->type = "invalid_request_error";
      why->code = "model_not_found";
    }
  }
  aiorch_text_free(text);
  aiorch_error_free(error);
  return good;
}

void embeddings_serve(endpoint_call *call) {
  body_json body;
  http_problem why;
  exchange x = {.orch = call->orch, .models = call->models, .who = call->who, .request = call->request};
  asked a = {.warnings = &x.warnings};
  bool good = body_parse(&body, call->body, call->body_len);
  if (!good) {
    http_problem_set(&why, 400, "invalid_json", NULL, "the body is no JSON: %s, at byte %zu", body.wrong, body.where);
  } else {
    making m = {.x = &x, .root = body.root, .why = &why, .state = wire_state_of(&x), .language = ""};
    good = take(&a, &m, &why);
  }
  aiorch_run *run;
  if (good && endpoint_admit(call, &run)) good = embed(call, &a, run, &why);
  if (!good) endpoint_problem(call, &why);
  free(a.texts);
  free(a.lens);
  body_free(&body);
  wire_state_free(&x);
  cli_list_free(&x.warnings);
}
