/*
 * Hugging Face: its router to the serverless hf-inference, and text-embeddings-inference (TEI) on one's own server or endpoint, which
 * speaks the same language at another path. A list of texts is always sent, so that the shape of the answer says one thing only: as
 * many entries as texts, each a vector, or a list of vectors of its tokens, of which the mean is taken.
 */
#include "embedders/embed_codec.h"

enum { BATCH_MAX = 32 /* TEI: --max-client-batch-size */, TOKENS_MAX = 1 << 20, LOADING_MAX_S = 600 };

static bool is_router(aio__str base_url) {
  return base_url.n == 0 || aio__str_eqz(aio__wire_host(base_url), "router.huggingface.co");
}

/* "org/name": the slash stays, all else is one segment each. */
static void put_url(aio__embed_writer *e) {
  if (!is_router(e->target->base_url)) {
    aio__embed_url(e, "", AIO__LIT("/embed"));
    return;
  }
  aio__str model = e->request->model;
  aio__buf path;
  aio__buf_init(&path, e->out->body.al, AIO__WIRE_URL_MAX);
  aio__buf_z(&path, "/hf-inference/models");
  for (size_t at = 0; at <= model.n;) {
    size_t end = at;
    while (end < model.n && model.p[end] != '/') end++;
    aio__buf_char(&path, '/');
    aio__wire_segment(&path, aio__str_n(model.p + at, end - at));
    at = end + 1;
  }
  aio__buf_z(&path, "/pipeline/feature-extraction");
  if (path.failed) e->status = aio__error_set(e->error, path.failed, "huggingface: the model's name is too long, or memory is out");
  else aio__embed_url(e, aio__embed_hugging_face.base_url, aio__buf_view(&path));
  aio__buf_free(&path);
}

static void write_request(aio__embed_writer *e) {
  put_url(e);
  aio__embed_bearer(e);
  aio__embed_texts(e, "inputs");
  aio__jw_kbool(&e->w, "normalize", true);
  aio__jw_kbool(&e->w, "truncate", true);
  if (e->request->dimensions) aio__jw_ki64(&e->w, "dimensions", (int64_t)e->request->dimensions);
}

/* The mean of the tokens' vectors. */
static void take_tokens(aio__embed_reader *r, size_t row, aio__tape_value tokens) {
  const aio__tape *t = r->tape;
  size_t count = aio__tape_size(t, tokens), n = 0;
  aio__embed_room(r, aio__tape_size(t, aio__tape_first(t, tokens)));
  if (r->status || count > TOKENS_MAX) {
    aio__embed_fault(r, "more tokens than can be");
    return;
  }
  float *out = r->result->vectors + row * r->result->dimensions;
  for (aio__tape_value token = aio__tape_first(t, tokens); token != AIO__TAPE_NONE; token = aio__tape_next(t, tokens, token)) {
    n = 0;
    for (aio__tape_value v = aio__tape_first(t, token); v != AIO__TAPE_NONE; v = aio__tape_next(t, token, v)) {
      float x;
      if (n == r->result->dimensions || !aio__tape_f32(t, v, &x)) {
        aio__embed_fault(r, "a vector of a token has something else in it than numbers, or not as many as the others");
        return;
      }
      out[n++] += x / (float)count;
    }
    if (n != r->result->dimensions) aio__embed_fault(r, "a vector of a token has fewer numbers than the others");
    if (r->status) return;
  }
}

static void read_answer(aio__embed_reader *r) {
  const aio__tape *t = r->tape;
  const aio__tape_value root = AIO__TAPE_ROOT;
  aio__tape_value first = aio__tape_first(t, root);
  if (aio__tape_typeof(t, root) != AIO__JSON_ARRAY || first == AIO__TAPE_NONE) {
    aio__embed_fault(r, "the answer is no list of vectors");
  } else if (aio__tape_typeof(t, first) == AIO__JSON_NUMBER && r->texts == 1) {
    aio__embed_row(r, 0, root);
  } else if (aio__tape_size(t, root) != r->texts) {
    aio__embed_fault(r, "the answer has not as many entries as there were texts: is this a model of sentences?");
  } else {
    size_t row = 0;
    for (aio__tape_value v = first; v != AIO__TAPE_NONE && r->status == AIORCH_OK; v = aio__tape_next(t, root, v), row++) {
      bool tokens = aio__tape_typeof(t, aio__tape_first(t, v)) == AIO__JSON_ARRAY;
      if (tokens) take_tokens(r, row, v);
      else aio__embed_row(r, row, v);
    }
  }
}

/* A model that is being loaded says for how many seconds yet. */
static void fail(const aio__error_body *body, aio__wire_error *error) {
  float seconds;
  if (error->http_status == 503 && error->retry_after_ms < 0 &&
      aio__tape_f32(body->tape, AIO__TAPE_GET(body->tape, body->error, "estimated_time"), &seconds) && seconds >= 0) {
    error->retry_after_ms = (int64_t)((seconds < (float)LOADING_MAX_S ? seconds : (float)LOADING_MAX_S) * 1000.0F);
  }
}

const aio__embed_codec aio__embed_hugging_face = {
    .name = "huggingface",
    .base_url = "https://router.huggingface.co",
    .batch_max = BATCH_MAX,
    .write = write_request,
    .read = read_answer,
    .fail = fail,
};
