/* The configuration files of a model's folder. What is not supported is refused by name, never guessed. */
#include "embedders/local/model_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <aiorch/plugin.h>

#include "core/buf.h"
#include "text/json.h"

enum { PATH_ROOM = 4096, MODULE_PATH_MAX = 64 };

static const char CONFIG[] = "config.json", MODULES[] = "modules.json", POOLING[] = "1_Pooling/config.json",
                  SENTENCE[] = "sentence_bert_config.json", TOKENIZER[] = "tokenizer_config.json",
                  PROMPTS[] = "config_sentence_transformers.json";

/* ---- files ---- */

static aiorch_status read_open(const aio__alloc *al, int fd, const char *path, size_t max, char **out, size_t *len,
                               aiorch_error *error) {
  struct stat st;
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
    return aio__error_set(error, AIORCH_E_MODEL, "%s is no regular file", path);
  if (st.st_size < 0 || (uint64_t)st.st_size > max)
    return aio__error_set(error, AIORCH_E_MODEL, "%s is larger than %zu bytes", path, max);
  size_t size = (size_t)st.st_size, done = 0;
  char *text = aio__malloc(al, size + 1);
  if (text == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for %s", path);
  while (done < size) {
    ssize_t n = read(fd, text + done, size - done);
    if (n > 0) done += (size_t)n;
    else if (n == 0) size = done; /* it became shorter: what is there now */
    else if (errno != EINTR) {
      aio__free(al, text);
      return aio__error_set(error, AIORCH_E_SYSTEM, "%s cannot be read: %s", path, strerror(errno));
    }
  }
  text[done] = '\0';
  *out = text;
  *len = done;
  return AIORCH_OK;
}

aiorch_status aio__model_file_read(const aio__alloc *al, const char *folder, const char *name, size_t max, char **out,
                                   size_t *len, aiorch_error *error) {
  char path[PATH_ROOM];
  if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
    return aio__error_set(error, AIORCH_E_MODEL, "the path of the model's folder is longer than %d bytes", PATH_ROOM);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return AIORCH_E_NOT_FOUND;
    return aio__error_set(error, errno == EMFILE || errno == ENFILE ? AIORCH_E_SYSTEM : AIORCH_E_MODEL,
                          "%s cannot be opened: %s", path, strerror(errno));
  }
  aiorch_status status = read_open(al, fd, path, max, out, len, error);
  (void)close(fd);
  return status;
}

/* ---- reading members ---- */

typedef struct reader {
  const aio__alloc *al;
  const char *folder;
  aiorch_error *error;
  const char *file; /* the one being read */
  aio__model_config *out;
} reader;

static aiorch_status refuse(const reader *r, const char *what) {
  return aio__error_set(r->error, AIORCH_E_MODEL, "%s/%s: %s", r->folder, r->file, what);
}

/* NULL in *out when the text is not there. */
static aiorch_status parse(reader *r, const char *file, aio__str text, aio__json **out) {
  char name[PATH_ROOM];
  r->file = file;
  *out = NULL;
  if (text.n == 0) return AIORCH_OK;
  (void)snprintf(name, sizeof name, "%s/%s", r->folder, file);
  const aio__json_limits limits = {AIO__MODEL_FILE_MAX, AIO__JSON_MAX_DEPTH_CONFIG, AIORCH_E_MODEL, name};
  return aio__json_parse(r->al, text, &limits, out, r->error);
}

/* A whole number between the limits; `missing` is taken when it is not there or null (below 0: it must be there). */
static aiorch_status read_count(const reader *r, const aio__json_value *object, const char *key, int64_t least,
                                int64_t most, int64_t missing, size_t *out) {
  int64_t n = missing;
  const aio__json_value *value = aio__json_get(object, key);
  if (aio__json_typeof(value) == AIO__JSON_NULL) {
    if (missing < 0) return aio__error_set(r->error, AIORCH_E_MODEL, "%s/%s: %s is missing", r->folder, r->file, key);
  } else if (!aio__json_i64(value, &n) || n < least || n > most) {
    return aio__error_set(r->error, AIORCH_E_MODEL, "%s/%s: %s must be a whole number from %lld to %lld", r->folder,
                          r->file, key, (long long)least, (long long)most);
  }
  *out = (size_t)n;
  return AIORCH_OK;
}

static bool is_true(const aio__json_value *object, const char *key) {
  bool yes = false;
  return aio__json_bool(aio__json_get(object, key), &yes) && yes;
}

/* The text of a member, `missing` when it is not there or no text. */
static aio__str text_of(const aio__json_value *object, const char *key, const char *missing) {
  aio__str text;
  return aio__json_str(aio__json_get(object, key), &text) ? text : aio__str_z(missing);
}

static aiorch_status refuse_value(const reader *r, const char *key, aio__str value, const char *supported) {
  return aio__error_set(r->error, AIORCH_E_MODEL, "%s/%s: %s \"%.*s\" is not supported; only %s is", r->folder,
                        r->file, key, (int)(value.n < 100 ? value.n : 100), value.p, supported);
}

/* ---- config.json ---- */

static aiorch_status read_kind(const reader *r, const aio__json_value *root) {
  static const struct {
    const char *name;
    const aio__curve *curve;
  } acts[] = {{"gelu", &aio__curve_gelu},
              {"gelu_python", &aio__curve_gelu},
              {"gelu_new", &aio__curve_gelu_tanh},
              {"gelu_pytorch_tanh", &aio__curve_gelu_tanh}};
  aio__str type = text_of(root, "model_type", "none"), act = text_of(root, "hidden_act", "gelu");
  aio__str position = text_of(root, "position_embedding_type", "absolute");
  if (!aio__str_eqz(type, "bert")) return refuse_value(r, "model_type", type, "\"bert\"");
  if (!aio__str_eqz(position, "absolute"))
    return refuse_value(r, "position_embedding_type", position, "\"absolute\"");
  if (is_true(root, "is_decoder")) return refuse(r, "is_decoder is true: a decoder is not supported, only encoders are");
  for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
    if (aio__str_eqz(act, acts[i].name)) r->out->curve = acts[i].curve;
  }
  return r->out->curve != NULL ? AIORCH_OK : refuse_value(r, "hidden_act", act, "\"gelu\" or \"gelu_new\"");
}

static aiorch_status read_sizes(const reader *r, const aio__json_value *root) {
  aio__model_config *c = r->out;
  double eps = 1e-12;
  aiorch_status s = read_count(r, root, "num_hidden_layers", 1, AIO__MODEL_LAYERS_MAX, -1, &c->layers);
  if (s == AIORCH_OK) s = read_count(r, root, "hidden_size", 1, AIO__MODEL_HIDDEN_MAX, -1, &c->hidden);
  if (s == AIORCH_OK) s = read_count(r, root, "num_attention_heads", 1, AIO__MODEL_HIDDEN_MAX, -1, &c->heads);
  if (s == AIORCH_OK)
    s = read_count(r, root, "intermediate_size", 1, AIO__MODEL_INTERMEDIATE_MAX, -1, &c->intermediate);
  if (s == AIORCH_OK) s = read_count(r, root, "vocab_size", 1, AIO__MODEL_VOCABULARY_MAX, -1, &c->vocabulary);
  if (s == AIORCH_OK)
    s = read_count(r, root, "max_position_embeddings", AIO__MODEL_TOKENS_MIN, AIO__MODEL_POSITIONS_MAX, -1,
                   &c->positions);
  if (s == AIORCH_OK) s = read_count(r, root, "type_vocab_size", 1, AIO__MODEL_TYPES_MAX, 2, &c->types);
  if (s != AIORCH_OK) return s;
  const aio__json_value *value = aio__json_get(root, "layer_norm_eps");
  if (value != NULL && (!aio__json_f64(value, &eps) || !(eps >= 1e-30 && eps <= 1)))
    return refuse(r, "layer_norm_eps must be a number from 1e-30 to 1");
  c->norm_eps = (float)eps;
  if (c->hidden % AIO__PANEL != 0 || c->intermediate % AIO__PANEL != 0)
    return refuse(r, "hidden_size and intermediate_size must be multiples of 32; others are not supported");
  if (c->hidden % c->heads != 0 || c->hidden / c->heads % AIO__STEP != 0)
    return refuse(r, "hidden_size / num_attention_heads must be a multiple of 16; others are not supported");
  c->max_tokens = c->positions;
  return AIORCH_OK;
}

static aiorch_status read_config(reader *r, const aio__json_value *root) {
  if (aio__json_typeof(root) != AIO__JSON_OBJECT) return refuse(r, "is no JSON object");
  aiorch_status s = read_kind(r, root);
  return s == AIORCH_OK ? read_sizes(r, root) : s;
}

/* ---- how the output becomes one vector ---- */

/* "sentence_transformers.models.Pooling" -> "Pooling" */
static aio__str last_word(aio__str text) {
  size_t at = text.n;
  while (at > 0 && text.p[at - 1] != '.') at--;
  return aio__str_n(text.p + at, text.n - at);
}

/* Only what this encoder does; where the Pooling lies goes to `path` (may be NULL). */
static aiorch_status read_modules(reader *r, const aio__json_value *root, char path[MODULE_PATH_MAX + 20]) {
  for (const aio__json_value *at = aio__json_first(root); at != NULL; at = aio__json_next(at)) {
    aio__str type = text_of(at, "type", ""), word = last_word(type), place = text_of(at, "path", "");
    if (aio__str_eqz(word, "Transformer") || aio__str_eqz(word, "Normalize")) continue;
    if (!aio__str_eqz(word, "Pooling"))
      return refuse_value(r, "a module of type", type, "Transformer, Pooling, Normalize");
    bool plain = place.n > 0 && place.n <= MODULE_PATH_MAX && place.p[0] != '.';
    for (size_t i = 0; i < place.n && plain; i++) plain = place.p[i] > ' ' && place.p[i] != '/' && place.p[i] < 127;
    if (!plain) return refuse(r, "the path of its Pooling must be the name of a folder inside of the model's");
    if (path != NULL) (void)snprintf(path, MODULE_PATH_MAX + 20, "%.*s/config.json", (int)place.n, place.p);
  }
  return AIORCH_OK;
}

static aiorch_status read_pooling(reader *r, const aio__json_value *root) {
  static const char *const modes[] = {"pooling_mode_cls_token",          "pooling_mode_mean_tokens",
                                      "pooling_mode_max_tokens",         "pooling_mode_mean_sqrt_len_tokens",
                                      "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"};
  size_t size = r->out->hidden;
  int found = -1;
  aio__str word = text_of(root, "pooling_mode", "");
  if (word.n > 0) found = aio__str_eqz(word, "cls") ? 0 : aio__str_eqz(word, "mean") ? 1 : 2;
  for (int i = 0; i < 6; i++) {
    if (!is_true(root, modes[i])) continue;
    if (found >= 0 && found != i) return refuse(r, "more than one way of pooling is not supported");
    found = i;
  }
  if (found < 0 || found > 1) return refuse(r, "pooling by other than the mean of all tokens or by [CLS] is not supported");
  r->out->first_token = found == 0;
  aiorch_status s =
    read_count(r, root, "word_embedding_dimension", 1, AIO__MODEL_HIDDEN_MAX, (int64_t)r->out->hidden, &size);
  if (s != AIORCH_OK) return s;
  return size == r->out->hidden ? AIORCH_OK : refuse(r, "word_embedding_dimension is not hidden_size of config.json");
}

/* ---- what is put before a text ---- */

static const char SEARCHING[] = "Represent this sentence for searching relevant passages: ";

/* Instructions and pooling that model cards tell, and no file of the folder does. */
static const struct {
  const char *begin, *inside;
  bool first_token;
  const char *prompt[AIO__MODEL_PURPOSES]; /* query, passage, similarity */
} families[] = {
  {"bge-", "-en", true, {SEARCHING, "", ""}},
  {"mxbai-embed-", "", true, {SEARCHING, "", ""}},
  {"snowflake-arctic-embed-", "", true, {SEARCHING, "", ""}},
  {"e5-", "", false, {"query: ", "passage: ", "query: "}},
};

static void apply_family(aio__model_config *c, bool pooling_told) {
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
    if (strncmp(c->name, families[i].begin, strlen(families[i].begin)) != 0) continue;
    if (strstr(c->name, families[i].inside) == NULL) continue;
    bool told = false;
    for (int p = 0; p < AIO__MODEL_PURPOSES; p++) told = told || c->prompt[p][0] != '\0';
    for (int p = 0; p < AIO__MODEL_PURPOSES && !told; p++)
      memcpy(c->prompt[p], families[i].prompt[p], strlen(families[i].prompt[p]) + 1);
    if (!pooling_told) c->first_token = families[i].first_token;
    return;
  }
}

static aiorch_status read_prompts(reader *r, const aio__json_value *root) {
  static const struct {
    const char *key;
    int32_t purpose;
  } keys[] = {{"query", AIORCH_PURPOSE_QUERY}, {"passage", AIORCH_PURPOSE_PASSAGE}, {"document", AIORCH_PURPOSE_PASSAGE}};
  const aio__json_value *prompts = aio__json_get(root, "prompts");
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    aio__str text = text_of(prompts, keys[i].key, "");
    if (text.n > AIO__MODEL_PROMPT_MAX) return refuse(r, "a prompt is longer than 255 bytes");
    if (text.n > 0) memcpy(r->out->prompt[keys[i].purpose - 1], text.p, text.n + 1);
  }
  return AIORCH_OK;
}

/* ---- all of them ---- */

static aiorch_status read_sentence(reader *r, const aio__json_value *root) {
  size_t most = r->out->positions;
  aiorch_status s = read_count(r, root, "max_seq_length", AIO__MODEL_TOKENS_MIN, 1 << 30, (int64_t)most, &most);
  if (s == AIORCH_OK && most < r->out->max_tokens) r->out->max_tokens = most;
  return s;
}

static aiorch_status read_tokenizer(reader *r, const aio__json_value *root) {
  bool lower;
  if (aio__json_bool(aio__json_get(root, "do_lower_case"), &lower)) r->out->lower_case = lower;
  return AIORCH_OK;
}

static aiorch_status read_module_list(reader *r, const aio__json_value *root) {
  return read_modules(r, root, NULL);
}

static void set_name(const char *folder, char out[AIO__MODEL_NAME_MAX + 1]) {
  size_t end = strlen(folder), n = 0;
  while (end > 0 && folder[end - 1] == '/') end--;
  size_t begin = end;
  while (begin > 0 && folder[begin - 1] != '/') begin--;
  for (size_t i = begin; i < end && n < AIO__MODEL_NAME_MAX; i++) {
    char c = folder[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    out[n++] = plain ? c : '_';
  }
  out[n] = '\0';
}

aiorch_status aio__model_config_parse(const aio__alloc *al, const char *folder, const aio__model_texts *texts,
                                      aio__model_config *out, aiorch_error *error) {
  const struct {
    const char *file;
    aio__str text;
    aiorch_status (*read)(reader *r, const aio__json_value *root);
  } files[] = {
    {CONFIG, texts->config, read_config},       {MODULES, texts->modules, read_module_list},
    {POOLING, texts->pooling, read_pooling},    {SENTENCE, texts->sentence, read_sentence},
    {TOKENIZER, texts->tokenizer, read_tokenizer}, {PROMPTS, texts->prompts, read_prompts},
  };
  memset(out, 0, sizeof *out);
  out->lower_case = true;
  set_name(folder, out->name);
  reader r = {al, folder, error, CONFIG, out};
  if (texts->config.n == 0) return refuse(&r, "is empty");
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    aio__json *json;
    aiorch_status status = parse(&r, files[i].file, files[i].text, &json);
    if (status == AIORCH_OK && json != NULL) status = files[i].read(&r, aio__json_root(json));
    aio__json_free(json);
    if (status != AIORCH_OK) return status;
  }
  apply_family(out, texts->pooling.n > 0);
  return AIORCH_OK;
}

static aiorch_status pooling_path(const aio__alloc *al, const char *folder, aio__str modules,
                                  char path[MODULE_PATH_MAX + 20], aiorch_error *error) {
  aio__json *json;
  reader r = {al, folder, error, MODULES, NULL};
  memcpy(path, POOLING, sizeof POOLING);
  aiorch_status status = parse(&r, MODULES, modules, &json);
  if (status == AIORCH_OK && json != NULL) status = read_modules(&r, aio__json_root(json), path);
  aio__json_free(json);
  return status;
}

/* A file that may be missing; `config` must be there. */
static aiorch_status read_text(const aio__alloc *al, const char *folder, const char *name, char **out, aio__str *text,
                               aiorch_error *error) {
  size_t len = 0;
  aiorch_status status = aio__model_file_read(al, folder, name, AIO__MODEL_FILE_MAX, out, &len, error);
  if (status == AIORCH_E_NOT_FOUND && name == CONFIG)
    return aio__error_set(error, AIORCH_E_NOT_FOUND, "there is no model in %s: %s/%s is not there", folder, folder, name);
  if (status == AIORCH_OK) *text = aio__str_n(*out, len);
  return status == AIORCH_E_NOT_FOUND ? AIORCH_OK : status;
}

aiorch_status aio__model_config_read(const aio__alloc *al, const char *folder, aio__model_config *out,
                                     aiorch_error *error) {
  aio__model_texts texts = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
  char *memory[6] = {NULL}, pooling[MODULE_PATH_MAX + 20];
  aiorch_status s = read_text(al, folder, CONFIG, &memory[0], &texts.config, error);
  if (s == AIORCH_OK) s = read_text(al, folder, MODULES, &memory[1], &texts.modules, error);
  if (s == AIORCH_OK) s = pooling_path(al, folder, texts.modules, pooling, error);
  if (s == AIORCH_OK) s = read_text(al, folder, pooling, &memory[2], &texts.pooling, error);
  if (s == AIORCH_OK) s = read_text(al, folder, SENTENCE, &memory[3], &texts.sentence, error);
  if (s == AIORCH_OK) s = read_text(al, folder, TOKENIZER, &memory[4], &texts.tokenizer, error);
  if (s == AIORCH_OK) s = read_text(al, folder, PROMPTS, &memory[5], &texts.prompts, error);
  if (s == AIORCH_OK) s = aio__model_config_parse(al, folder, &texts, out, error);
  for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) aio__free(al, memory[i]);
  return s;
}

void aio__model_config_digest(const aio__model_config *config, aio__sha256 *hash) {
  const uint64_t numbers[] = {config->layers,    config->hidden,    config->heads,       config->intermediate,
                              config->vocabulary, config->max_tokens, config->first_token, config->curve == &aio__curve_gelu};
  uint32_t eps;
  memcpy(&eps, &config->norm_eps, sizeof eps);
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) aio__sha256_u64(hash, numbers[i]);
  aio__sha256_u64(hash, eps);
  for (int p = 0; p < AIO__MODEL_PURPOSES; p++) aio__sha256_str(hash, aio__str_z(config->prompt[p]));
}
