/* Ollama's /api/embed. The older /api/embeddings answers with one "embedding"; it is understood for a single text. */
#include "embedders/embed_codec.h"

enum { BATCH_MAX = 64 };

static void write_request(aio__embed_writer *e) {
  aio__embed_url(e, aio__embed_ollama.base_url, AIO__LIT("/api/embed"));
  aio__embed_bearer(e);
  aio__jw_kstr(&e->w, "model", e->request->model);
  aio__embed_texts(e, "input");
  aio__jw_kbool(&e->w, "truncate", true);
  if (e->request->dimensions) aio__jw_ki64(&e->w, "dimensions", (int64_t)e->request->dimensions);
}

static void read_answer(aio__embed_reader *r) {
  const aio__tape *t = r->tape;
  aio__tape_value list = AIO__TAPE_GET(t, AIO__TAPE_ROOT, "embeddings");
  size_t row = 0;
  if (list == AIO__TAPE_NONE && r->texts == 1) {
    aio__embed_row(r, 0, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "embedding"));
  } else if (aio__tape_size(t, list) != r->texts) {
    aio__embed_fault(r, "the answer has not as many vectors as there were texts");
  }
  for (aio__tape_value v = aio__tape_first(t, list); v != AIO__TAPE_NONE; v = aio__tape_next(t, list, v)) aio__embed_row(r, row++, v);
  aio__embed_model(r, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "model"));
  aio__embed_tokens(r, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "prompt_eval_count"));
}

/* A model that was never pulled is a 404 already; its other errors are texts. */
static void fail(const aio__error_body *body, aio__wire_error *error) {
  if (error->http_status == 400 && aio__wire_has(body->message, "not found")) error->status = AIORCH_E_PROVIDER_MODEL;
}

const aio__embed_codec aio__embed_ollama = {
    .name = "ollama",
    .base_url = "http://localhost:11434",
    .batch_max = BATCH_MAX,
    .write = write_request,
    .read = read_answer,
    .fail = fail,
};
