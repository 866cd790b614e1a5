"""How the four families of providers write an answer, for a server that goes wrong in the midst of one (fault_server.py).

Which family asks, and whether for a stream, is read from the request. Then the pieces of an answer are said in its format:
a stream is written as it comes, an answer in one piece when it is closed."""
import json

MODELS = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-6.1-terra", "gemini": "gemini-3.8-flash", "ollama": "llama3.2"}

# Longer than what the output check holds back, so that the caller has seen some of it before the second part comes.
PARTS = ["".join(f"{n}. A dump of table {n} is made with pg_dump, and pg_restore reads it again, while others go on with their work. "
                 for n in range(1, 41)),
         "The biggest of its files are packed, and \u00fcber-long names \u2013 those above 63 bytes \u2013 are cut."]
ANSWER = "".join(PARTS)

TYPES = {400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
         413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 503: "overloaded_error", 529: "overloaded_error"}
GRPC = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED", 429: "RESOURCE_EXHAUSTED",
        499: "CANCELLED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


def kind_of(status):
    return TYPES.get(status, "invalid_request_error" if 400 <= status < 500 else "api_error")


def turned(value):
    """The same JSON with the members of all objects in the reverse order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    if isinstance(value, list):
        return [turned(one) for one in value]
    return value


class Format:
    """One answer. `send` takes bytes of the body of a stream."""
    kind = "text/event-stream"

    def __init__(self, model):
        self.model, self.reverse, self.escape_nul = model, False, False

    def json(self, value):
        return json.dumps(turned(value) if self.reverse else value, ensure_ascii=False)

    def event(self, value, name=""):
        return (f"event: {name}\n" if name else "") + f"data: {self.json(value)}\n\n"

    def begin(self):
        return ""

    def unknown(self):
        return ": a sign of life\n\n" + self.event({"type": "aurora", "aurora": {"deep": [1, None, {}]}}, "aurora") + "id: 7\nretry: 10\n\n"


class Anthropic(Format):
    def begin(self):
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": self.model, "content": [], "stop_reason": None,
                   "usage": {"input_tokens": 11, "output_tokens": 1}}
        return self.event({"type": "message_start", "message": message}, "message_start") + self.event(
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, "content_block_start")

    def text(self, text):
        return self.event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}, "content_block_delta")

    def end(self):
        return (self.event({"type": "content_block_stop", "index": 0}, "content_block_stop") +
                self.event({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 7}},
                           "message_delta") + self.event({"type": "message_stop"}, "message_stop"))

    def whole(self, text, unknown):
        more = {"aurora": {"deep": [1, None, {}]}} if unknown else {}
        content = [{"type": "text", "text": text, **more}] + ([{"type": "aurora", "aurora": 1}] if unknown else [])
        return self.json({"id": "msg_1", "type": "message", "role": "assistant", "model": self.model, "content": content,
                          "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 7, **more}, **more})

    def failure(self, status, words):
        return {"type": "error", "error": {"type": kind_of(status), "message": words}, "request_id": "req_1"}

    def error(self, status, words):
        return self.event(self.failure(status, words), "error")


class OpenAI(Format):
    def chunk(self, choices, **more):
        return self.event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": self.model, "choices": choices, **more})

    def begin(self):
        return self.chunk([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])

    def text(self, text):
        return self.chunk([{"index": 0, "delta": {"content": text}, "finish_reason": None}])

    def end(self):
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        return self.chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]) + self.chunk([], usage=usage) + "data: [DONE]\n\n"

    def whole(self, text, unknown):
        more = {"aurora": {"deep": [1, None, {}]}} if unknown else {}
        choice = {"index": 0, "message": {"role": "assistant", "content": text, "refusal": None, **more}, "finish_reason": "stop", **more}
        return self.json({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": self.model, "choices": [choice],
                          "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}, **more})

    def failure(self, status, words):
        return {"error": {"message": words, "type": kind_of(status), "param": None, "code": None}}

    def error(self, status, words):
        return self.event(self.failure(status, words))


class Gemini(Format):
    usage = {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18}

    def answer(self, text, **more):
        return {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}], "usageMetadata": self.usage,
                "modelVersion": self.model, "responseId": "r1"}

    def text(self, text):
        return self.event(self.answer(text))

    def end(self):
        return self.event(self.answer("", finishReason="STOP"))

    def whole(self, text, unknown):
        value = self.answer(text, finishReason="STOP")
        if unknown:
            value["aurora"] = value["candidates"][0]["aurora"] = {"deep": [1, None, {}]}
            value["candidates"][0]["content"]["parts"].append({"aurora": 1})
        return self.json(value)

    def failure(self, status, words):
        return {"error": {"code": status, "message": words, "status": GRPC.get(status, "UNKNOWN")}}

    def error(self, status, words):
        return self.event(self.failure(status, words))


class Ollama(Format):
    kind = "application/x-ndjson"

    def line(self, text, done, **more):
        return self.json({"model": self.model, "created_at": "2026-11-01T00:00:00Z", "message": {"role": "assistant", "content": text},
                          "done": done, **more})

    def text(self, text):
        return self.line(text, False) + "\n"

    def end(self):
        return self.line("", True, done_reason="stop", prompt_eval_count=11, eval_count=7) + "\n"

    def unknown(self):
        return "\n" + self.json({"model": self.model, "aurora": {"deep": [1, None, {}]}, "done": False}) + "\n"

    def whole(self, text, unknown):
        more = {"aurora": {"deep": [1, None, {}]}} if unknown else {}
        return self.line(text, True, done_reason="stop", prompt_eval_count=11, eval_count=7, **more)

    def failure(self, status, words):
        return {"error": words}

    def error(self, status, words):
        return self.json(self.failure(status, words)) + "\n"


FAMILIES = {"anthropic": Anthropic, "openai": OpenAI, "gemini": Gemini, "ollama": Ollama}


class Asked:
    """What a request wants, and the key that came with it."""

    def __init__(self, head, body):
        line, *lines = head.decode("latin-1").split("\r\n")
        path = line.split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
        value = json.loads(body or b"{}")
        if path.endswith("/messages"):
            self.family = "anthropic"
        elif path.endswith("/chat/completions"):
            self.family = "openai"
        elif path.endswith("/api/chat"):
            self.family = "ollama"
        else:
            self.family = "gemini"
        self.stream = ":streamGenerateContent" in path if self.family == "gemini" else bool(value.get("stream"))
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        self.key = headers.get("x-api-key") or headers.get("x-goog-api-key") or bearer
        self.header = headers.get("x-secret", "")
        self.model = value.get("model") or MODELS[self.family]
