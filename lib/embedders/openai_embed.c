/*
 * OpenAI's embeddings, and the servers that speak it (TEI, vLLM, llama.cpp, LiteLLM, ...): vectors as base64 of little-endian floats,
 * a third of the size of numbers, or as numbers from servers that send these all the same. Entries are placed by their index.
 */
#include "embedders/embed_codec.h"

enum { BATCH_MAX = 256 /* of 2,048: with long texts the sum of tokens is the nearer limit */ };

static void write_request(aio__embed_writer *e) {
  const aio__embed_request *r = e->request;
  bool azure = aio__wire_has(aio__wire_host(e->target->base_url), ".azure.com");
  aio__embed_url(e, aio__embed_openai.base_url, AIO__LIT("/embeddings"));
  if (!azure) {
    aio__embed_bearer(e);
  } else if (e->status == AIORCH_OK && e->target->key.n) {
    e->status = aio__wire_add_key(e->out, AIO__LIT("api-key"), (aio__str){"", 0}, aio__str_trim(e->target->key), e->error);
  }
  aio__jw_kstr(&e->w, "model", r->model);
  aio__embed_texts(e, "input");
  if (!e->target->plain_floats) aio__jw_kz(&e->w, "encoding_format", "base64");
  if (r->dimensions) aio__jw_ki64(&e->w, "dimensions", (int64_t)r->dimensions);
}

static void read_answer(aio__embed_reader *r) {
  const aio__tape *t = r->tape;
  aio__tape_value data = AIO__TAPE_GET(t, AIO__TAPE_ROOT, "data");
  int64_t place = 0;
  if (aio__tape_size(t, data) != r->texts) {
    aio__embed_fault(r, "the answer has not as many entries as there were texts");
    return;
  }
  for (aio__tape_value v = aio__tape_first(t, data); v != AIO__TAPE_NONE; v = aio__tape_next(t, data, v), place++) {
    int64_t index = place;
    (void)aio__tape_i64(t, AIO__TAPE_GET(t, v, "index"), &index);
    if (index < 0 || (uint64_t)index >= r->texts) {
      aio__embed_fault(r, "the index of an entry is that of no text");
      return;
    }
    aio__embed_row(r, (size_t)index, AIO__TAPE_GET(t, v, "embedding"));
  }
  aio__embed_model(r, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "model"));
  aio__embed_tokens(r, AIO__TAPE_GET(t, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "usage"), "prompt_tokens"));
}

const aio__embed_codec aio__embed_openai = {
    .name = "openai",
    .base_url = "https://api.openai.com/v1",
    .batch_max = BATCH_MAX,
    .write = write_request,
    .read = read_answer,
};
