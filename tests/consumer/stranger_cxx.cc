// The same from C++: handles held by std::unique_ptr, a provider whose slot is a lambda.
#include <aiorch/aiorch.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

struct Echo {
  int destroyed = 0;
};

template <typename T, void (*Free)(T *)>
struct Freer {
  void operator()(T *handle) const { Free(handle); }
};
using Config = std::unique_ptr<aiorch_config, Freer<aiorch_config, aiorch_config_free>>;
using Run = std::unique_ptr<aiorch_run, Freer<aiorch_run, aiorch_run_free>>;

aiorch_status generate(void *, aiorch_call *call) {
  const char *text = nullptr;
  size_t len = 0;
  int32_t role = 0;
  const size_t count = aiorch_call_message_count(call);
  if (count == 0 || aiorch_call_message(call, count - 1, &role, &text, &len) != AIORCH_OK) return AIORCH_E_INTERNAL;
  const std::string answer = "You said: " + std::string(text, len);
  aiorch_call_emit(call, answer.data(), answer.size());
  aiorch_call_finish(call, AIORCH_OK);
  return AIORCH_SLOT_OK;
}

bool ask(aiorch *orch) {
  aiorch_run *raw = nullptr;
  if (aiorch_run_new(orch, "acme", 4, "u1", 2, &raw) != AIORCH_OK) return false;
  const Run run(raw);
  const std::string question = "hello from C++";
  if (aiorch_run_add_message(raw, AIORCH_ROLE_USER, question.data(), question.size()) != AIORCH_OK) return false;
  if (aiorch_run_execute(raw) != AIORCH_OK) return false;
  const char *answer = nullptr;
  size_t len = 0;
  return aiorch_run_answer(raw, &answer, &len) == AIORCH_OK && std::string(answer, len) == "You said: " + question;
}

}  // namespace

int main() {
  aiorch_config *raw = nullptr;
  if (aiorch_config_new(&raw) != AIORCH_OK) return 1;
  const Config config(raw);
  Echo echo;
  aiorch_provider_vtbl vtbl = {};
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "echo-1";
  vtbl.generate = generate;
  vtbl.destroy = [](void *self) { static_cast<Echo *>(self)->destroyed++; };
  if (aiorch_config_set_str(raw, "store", "memory", 6, nullptr) != AIORCH_OK) return 1;
  if (aiorch_config_add_provider(raw, "echo", &vtbl, &echo, nullptr) != AIORCH_OK) return 1;
  aiorch *orch = nullptr;
  if (aiorch_open(raw, &orch, nullptr) != AIORCH_OK) return 1;
  const bool answered = ask(orch);
  const bool closed = aiorch_close(orch, 10000) == AIORCH_OK && aiorch_free(orch) == AIORCH_OK;
  if (!answered || !closed || echo.destroyed != 1) {
    std::fprintf(stderr, "answered %d, closed %d, destroyed %d\n", answered, closed, echo.destroyed);
    return 1;
  }
  return 0;
}
