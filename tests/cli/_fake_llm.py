"""A server on this machine that speaks OpenAI's chat completions, streamed and whole, and does as the test says."""

import http.server
import json
import socket
import threading


class Reply:
    """What one request is answered with. `gate`: an Event that is waited for before the last piece, or an error."""

    def __init__(self, pieces=("Hello", " from", " the fake."), status=200, message="", headers=None, usage=None, gate=None,
                 tool_calls=None, finish="stop", model=None, reasoning=None):
        self.pieces, self.status, self.message, self.headers = list(pieces), status, message, headers or {}
        self.usage = usage or {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
                               "prompt_tokens_details": {"cached_tokens": 40}}
        self.gate, self.tool_calls, self.finish, self.model, self.reasoning = gate, tool_calls, finish, model, reasoning


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def do_POST(self):  # pylint: disable=invalid-name
        llm = self.server.llm
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        with llm.lock:
            reply = llm.reply_to(body)
            llm.keys.append(self.headers.get("Authorization"))
            llm.requests.append(body)  # at last: tests wait for it, and then say what the next one is answered with
        try:
            if self.path.endswith("/embeddings"):
                self.embeddings(body)
            elif not self.path.endswith("/chat/completions"):
                self.whole(404, {"error": {"message": "no such place: " + self.path}}, {})
            elif reply.status != 200:
                if reply.gate:
                    reply.gate.wait(60)
                self.whole(reply.status, {"error": {"message": reply.message, "type": "test"}}, reply.headers)
            elif body.get("stream"):
                self.stream(body, reply)
            else:
                message = {"role": "assistant", "content": "".join(reply.pieces), "tool_calls": reply.tool_calls,
                           "reasoning_content": reply.reasoning}
                self.whole(200, {"id": "chat-1", "model": reply.model or body["model"], "usage": reply.usage,
                                 "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}]}, {})
        except (BrokenPipeError, ConnectionResetError):
            with llm.lock:
                llm.broken += 1
            self.close_connection = True

    def embeddings(self, body):
        """Each text is 8 tokens, and they all mean the same."""
        if self.server.llm.embedding_status != 200:
            self.whole(self.server.llm.embedding_status, {"error": {"message": "no vectors"}}, {"retry-after": "3"})
            return
        data = [{"object": "embedding", "index": i, "embedding": [1.0] + [0.0] * (body["dimensions"] - 1)} for i in range(len(body["input"]))]
        tokens = 8 * len(data)
        self.whole(200, {"object": "list", "model": body["model"], "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}, {})

    def whole(self, status, value, headers):
        text = json.dumps(value).encode()
        self.send_response(status)
        for name, header in headers.items():
            self.send_header(name, header)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def event(self, body, reply, delta, finish=None, usage=None):
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        self.chunk("data: " + json.dumps({"id": "chat-1", "object": "chat.completion.chunk",
                                          "model": reply.model or body["model"], "choices": choices, "usage": usage}) + "\n\n")

    def stream(self, body, reply):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.event(body, reply, {"role": "assistant", "content": ""})
        if reply.reasoning:
            self.event(body, reply, {"reasoning_content": reply.reasoning})
        for i, piece in enumerate(reply.pieces):
            if reply.gate and i == len(reply.pieces) - 1:
                while not reply.gate.wait(0.05):
                    self.chunk(": still here\n\n")  # fails when the other side has gone
            self.event(body, reply, {"content": piece})
        for i, call in enumerate(reply.tool_calls or []):
            self.event(body, reply, {"tool_calls": [{"index": i, **call}]})
        self.event(body, reply, {}, finish=reply.finish)
        self.event(body, reply, None, usage=reply.usage)
        self.chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512

    def handle_error(self, request, client_address):
        """A client that cuts its connection, which tests have it do, is no news."""


class FakeLlm:
    """with FakeLlm() as llm: ... llm.url; what it was asked stands in llm.requests, the keys in llm.keys."""

    def __init__(self):
        self.requests, self.keys, self.replies, self.always = [], [], [], Reply()
        self.broken, self.embedding_status = 0, 200
        self.lock = threading.Lock()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.llm = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def reply_to(self, body):  # pylint: disable=unused-argument
        return self.replies.pop(0) if self.replies else self.always

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def settings(self, name="fake", model="tiny-1", key="${FAKE_KEY}"):
        """The words that make it a provider of the command line. `key`: a variable of the environment, as keys should come."""
        sets = {"api": "openai", "base_url": self.url, "model": model, "key": key}
        return [word for k, v in sets.items() for word in ("--set", f"providers.{name}.{k}={v}")]


_dead = []


def dead_port():
    """An address at which nobody listens; it is held, so that nobody else is given it."""
    _dead.append(socket.socket())
    _dead[-1].bind(("127.0.0.1", 0))
    return f"http://127.0.0.1:{_dead[-1].getsockname()[1]}/v1"
