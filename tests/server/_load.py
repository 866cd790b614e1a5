"""Everything at once, for test_load.py: a provider that counts, fails, is slow and cuts, and clients of two tenants that do all that clients do.

What a client may see is told apart from what it must never see; that stands in World.wrong.
"""

import base64
import collections
import contextlib
import hashlib
import hmac
import http.client
import http.server
import itertools
import json
import random
import re
import socket
import threading
import time

TENANTS = {"acme": "CANARY-ACME-7731", "globex": "CANARY-GLOBEX-4402"}
WORDS = "parcel harbour ledger valve meadow copper signal orchard lantern gravel".split()
DIMENSIONS = 16


class Provider(http.server.BaseHTTPRequestHandler):
    """/good answers; /moody answers, fails, waits and cuts; /embed gives vectors. Who asked what is counted before anything is answered."""
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def do_POST(self):  # pylint: disable=invalid-name
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            if self.path.startswith("/embed"):
                self.vectors(body)
            else:
                self.chat(body)
        except OSError:
            self.close_connection = True

    def vectors(self, body):
        world, texts = self.server.world, body["input"] if isinstance(body["input"], list) else [body["input"]]
        with world.lock:
            world.embedded += 1
        if world.random.random() < 0.05:
            self.whole(500, {"error": {"message": "no vectors now"}})
            return
        data = []
        for i, text in enumerate(texts):
            seed = hashlib.sha256(text.encode()).digest()
            data.append({"index": i, "embedding": [(b - 127.5) / 128 for b in seed[:DIMENSIONS]]})
        self.whole(200, {"data": data, "model": body["model"], "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)}})

    def chat(self, body):
        world, text = self.server.world, json.dumps(body["messages"])
        question = re.findall(r"#(\w+)-(\w+)#", text)[-1]
        tenant = question[0]
        with world.lock:
            number = world.calls
            world.calls += 1
            dice = world.random.random() if self.path.startswith("/moody") else 1
            silent = 0.22 <= dice < 0.32
            (world.silent if silent else world.asked)["-".join(question)] += 1
        for other, canary in TENANTS.items():
            if other != tenant and canary in text:
                world.say(f"the prompt of {tenant} has what is {other}'s: {text[:300]}")
        words = f"[chat-{number}] " + " ".join(WORDS[(number + i) % len(WORDS)] for i in range(150)) + f" {TENANTS[tenant]} END."
        if dice < 0.15:
            self.whole(500, {"error": {"message": "not today"}})
        elif dice < 0.22:
            self.whole(429, {"error": {"message": "too many"}}, {"Retry-After": "0"})
        elif silent:  # on a connection that was used before libcurl asks once more by itself
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            if dice < 0.42:
                time.sleep(0.2)
            self.answer(body, f"chat-{number}", words, cut=dice < 0.55)

    def answer(self, body, name, words, cut):
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        if not body.get("stream"):
            message = {"role": "assistant", "content": words}
            self.whole(200, {"id": name, "model": body["model"], "usage": usage, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        pieces = [words[i:i + 60] for i in range(0, len(words), 60)]
        for i, piece in enumerate(pieces):
            if cut and i == len(pieces) * 3 // 4:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.event({"id": name, "model": body["model"], "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            if i % 4 == 0:
                time.sleep(0.002)
        self.event({"id": name, "model": body["model"], "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.event({"id": name, "model": body["model"], "choices": [], "usage": usage})
        self.chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def event(self, value):
        self.chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def whole(self, status, value, headers=None):
        text = json.dumps(value).encode()
        self.send_response(status)
        for k, v in {"Content-Type": "application/json", "Content-Length": str(len(text)), **(headers or {})}.items():
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class ProviderServer(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 512

    def handle_error(self, *_):  # those that are cut, which is what we are here for
        pass


def token(secret, tenant, user, **claims):
    """A JSON web token, HS256."""
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")
    body = {"iss": "tests", "aud": "aiorch", "sub": user, "tenant": tenant, "exp": int(time.time()) + 600, **claims}
    signed = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + b"." + part(json.dumps(body).encode())
    return (signed + b"." + part(hmac.new(secret.encode(), signed, hashlib.sha256).digest())).decode()


class World:
    """What all share: the provider and its counts, the server, credentials, and what went wrong."""

    def __init__(self, seed):
        self.lock, self.random, self.stop = threading.RLock(), random.Random(seed), threading.Event()
        self.numbers = itertools.count()
        self.calls, self.embedded, self.asked, self.silent = 0, 0, collections.Counter(), collections.Counter()
        self.answered, self.lost, self.seen, self.wrong = {}, set(), collections.Counter(), []
        self.going_down, self.secret, self.old_secret, self.keys, self.dead_key = False, "s" * 32, "o" * 32, {}, None
        self.changes, self.changing, self.server = 0, False, None
        self.provider = ProviderServer(("127.0.0.1", 0), Provider)
        self.provider.world = self
        self.provider_port = self.provider.server_address[1]
        threading.Thread(target=self.provider.serve_forever, args=(0.05,), daemon=True).start()

    def say(self, what):
        with self.lock:
            self.wrong.append(what)

    def see(self, what):
        with self.lock:
            self.seen[what] += 1

    @contextlib.contextmanager
    def change(self):
        """While it lasts, and for requests that it overlaps with, a credential may be refused."""
        with self.lock:
            self.changing, self.changes = True, self.changes + 1
        try:
            yield
        finally:
            with self.lock:
                self.changing, self.changes = False, self.changes + 1

    def connect(self, receive_buffer=0):
        s = socket.socket()
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(60)
        s.connect(("127.0.0.1", self.server.port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def end(self):
        self.provider.shutdown()
        self.provider.server_close()


class Client(threading.Thread):
    """One after the other, at random, all that a client of a tenant may do."""

    def __init__(self, world, number):
        super().__init__(daemon=True)
        self.world, self.number, self.random, self.connection = world, number, random.Random(number), None
        self.tenant = list(TENANTS)[number % 2]
        self.actions = [self.ask] * 10 + [self.leave] * 4 + [self.leave_unsaid] + [self.half_close] + [self.read_slowly] + [self.two_at_once] + [
            self.documents] * 2 + [self.search] * 2 + [self.embed] + [self.refused] * 2 + [self.look]

    def run(self):
        while not self.world.stop.is_set():
            action = self.random.choice(self.actions)
            try:
                action()
                self.world.see(action.__name__)
            except (OSError, http.client.HTTPException) as e:
                self.drop()
                if not self.world.going_down:
                    self.world.say(f"{action.__name__}: {e!r}")
                time.sleep(0.02)
            except Exception as e:  # pylint: disable=broad-except
                self.drop()
                self.world.say(f"{action.__name__}: {type(e).__name__} {e}")

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    # ---- requests ----

    def credential(self):
        """A key or a token of the tenant's."""
        if self.random.random() < 0.5:
            return self.world.keys[self.tenant]
        return token(self.world.secret, self.tenant, f"user-{self.number}")

    def headers(self):
        h = {"Authorization": "Bearer " + self.credential(), "Content-Type": "application/json"}
        if self.random.random() < 0.2:
            h["Origin"] = "https://app.example"
        return h

    def request(self, method, path, body=None, headers=None, wanted=(200,)):
        """(status, headers, body), or None when the server may say no just now."""
        if not self.connection:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.world.server.port, timeout=60)
            self.connection.sock = self.world.connect()
        before, own = self.world.changes, headers is None
        self.connection.request(method, path, json.dumps(body).encode() if body is not None else None, headers or self.headers())
        response = self.connection.getresponse()
        text = response.read().decode()
        if response.getheader("connection", "").lower() == "close":
            self.drop()
        for other, canary in TENANTS.items():
            if other != self.tenant and canary in text:
                self.world.say(f"{path}: {self.tenant} is told what is {other}'s: {text[:300]}")
        if response.status in wanted:
            return response.status, response.headers, text
        if response.status == (401 if own else 200) and (self.world.changing or self.world.changes != before):
            self.world.see("credentials changed meanwhile")
        elif response.status == 502 and (body or {}).get("stream") and "after the answer had begun" in text:
            if response.headers["x-should-retry"] != "true":
                self.world.say(f"{path}: 502 before the head of a stream, and nobody is told to ask again")
            self.world.see("cut before the head of a stream was out")
        elif response.status == 503 and self.world.going_down:
            self.world.see("refused while going down")
        else:
            self.world.say(f"{method} {path}: {response.status} {text[:300]}")
        return None

    def question(self):
        """(its name, the path, the body) of one that nobody asked before."""
        name = f"{self.tenant}-{next(self.world.numbers)}"
        path = self.random.choice(["/ask", "/v1/chat/completions", "/v1/messages"])
        text = f"What is the secret word of the {self.random.choice(WORDS)}? #{name}#"
        body = {"message": text} if path == "/ask" else {"model": "aiorch", "messages": [{"role": "user", "content": text}]}
        if path == "/v1/messages":
            body["max_tokens"] = 500
        if self.random.random() < 0.5:
            body["stream"] = True
        return name, path, body

    def raw(self, path, body):
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(data)}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in self.headers().items())
        return head.encode() + b"\r\n" + data

    # ---- what clients do ----

    def ask(self):
        name, path, body = self.question()
        known = self.random.random() < 0.1  # somebody asks the same at the same time, or asks again
        if known:
            name = f"{self.tenant}-common{self.random.randrange(40)}"
            text = f"What is the secret word of the {WORDS[0]}? #{name}#"
            body = {**body, **({"message": text} if path == "/ask" else {"messages": [{"role": "user", "content": text}]})}
        try:
            got = self.request("POST", path, body)
        except (OSError, http.client.HTTPException):
            self.lose(name)
            raise
        if not got:
            return
        _, headers, text = got
        told, text = ENDS[path](text, body.get("stream", False))
        run = headers["x-aiorch-run-id"]
        good = text.endswith("END.") if told == "done" else told == "error" and (body.get("stream") and "END." not in text)
        if not good or not (text.startswith("[chat-") or told == "error" and not text):
            self.world.say(f"{path} {body}: {told}, {text[:80]}...{text[-80:]}")
        self.world.see(told)
        with self.world.lock:
            self.world.answered[run] = (name, told, headers["x-aiorch-cost-usd"] if not body.get("stream") else None)

    def lose(self, name):
        with self.world.lock:
            self.world.lost.add(name)

    def leave(self):
        """Goes before the answer is whole, politely or not."""
        name, path, body = self.question()
        self.lose(name)
        with contextlib.closing(self.world.connect()) as s:
            s.sendall(self.raw(path, body))
            if self.random.random() < 0.5:
                time.sleep(self.random.random() * 0.05)
            else:
                s.recv(self.random.randrange(1, 2000))
            if self.random.random() < 0.3:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def leave_unsaid(self):
        """Goes in the middle of its own request."""
        _, path, body = self.question()
        data = self.raw(path, body)
        with contextlib.closing(self.world.connect()) as s:
            s.sendall(data[:self.random.randrange(1, len(data) - 1)])
            time.sleep(self.random.random() * 0.01)

    def half_close(self):
        name, path, body = self.question()
        self.lose(name)
        with contextlib.closing(self.world.connect()) as s:
            s.sendall(self.raw(path, body).replace(b"Connection: close\r\n", b""))
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass

    def read_slowly(self):
        name, path, body = self.question()
        self.lose(name)
        with contextlib.closing(self.world.connect(4096)) as s:
            s.sendall(self.raw(path, {**body, "stream": True}))
            for _ in range(self.random.randrange(1, 15)):
                if not s.recv(100):
                    break
                time.sleep(0.01)

    def two_at_once(self):
        """Two requests in one piece; their answers come in their order."""
        with contextlib.closing(self.world.connect()) as s, s.makefile("rb") as f:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            got = f.read()
        if got.count(b"HTTP/1.1 200") != 2 or b'{"status":"ok"}' not in got.split(b"openapi")[0]:
            if not self.world.going_down:
                self.world.say(f"two at once: {got[:300]}")

    def documents(self):
        uri, text = f"n{self.number}", f"# Note\n\nThe secret word of the {self.random.choice(WORDS)} is {TENANTS[self.tenant]}, {self.random.random()}."
        added = self.request("POST", "/v1/documents", {"uri": uri, "text": text}, wanted=(200, 201))
        if not added:
            return
        got = self.request("GET", "/v1/documents/" + uri)
        if got and text[8:] not in json.loads(got[2])["text"]:
            self.world.say(f"a document came back as {got[2][:300]}")
        self.request("GET", "/v1/documents?limit=5")
        if self.random.random() < 0.5 and not self.world.going_down:
            if self.request("DELETE", "/v1/documents/" + uri):
                self.request("GET", "/v1/documents/" + uri, wanted=(404,))

    def search(self):
        got = self.request("POST", "/v1/search", {"query": f"secret word of the {self.random.choice(WORDS)}", "limit": 3})
        if got and not isinstance(json.loads(got[2])["data"], list):
            self.world.say(f"a search gave {got[2][:300]}")

    def embed(self):
        got = self.request("POST", "/v1/embeddings", {"model": "vec-1", "input": [f"some {self.random.random()}", "words"]}, wanted=(200, 500, 502, 503, 504))
        if got and got[0] == 200 and len(json.loads(got[2])["data"]) != 2:
            self.world.say(f"embeddings: {got[2][:300]}")

    def refused(self):
        """Credentials that are none, and requests that are none."""
        good = token(self.world.secret, self.tenant, "u")
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        bad = [token("x" * 32, self.tenant, "u"), token(self.world.old_secret, self.tenant, "u"), token(self.world.secret, self.tenant, "u", exp=1),
               token(self.world.secret, self.tenant, "u", aud="others"), none + "." + good.split(".")[1] + ".", good[:-4] + "AAAA", "aik_" + "0" * 38]
        if self.world.dead_key:
            bad.append(self.world.dead_key)
        if self.random.random() < 0.7:
            name, path, body = self.question()
            self.lose(name)  # a credential of a moment ago may still be good
            self.request("POST", path, body, {"Authorization": "Bearer " + self.random.choice(bad)}, wanted=(401,))
        else:
            self.request("POST", "/v1/chat/completions", {"model": "aiorch", "messages": [], "what": 1}, wanted=(400,))

    def look(self):
        self.request("GET", "/metrics", wanted=(200,) if self.tenant == "acme" else (403,))
        self.request("GET", "/readyz", wanted=(200, 503))
        self.request("GET", "/v1/models")


# ---- what an answer says: ("done", "error" or "cut", the text) ----

def _data(text):
    return [line[6:] for line in text.split("\n") if line.startswith("data: ")]


def _end_of_ask(text, streamed):
    if not streamed:
        value = json.loads(text)
        return "done", value["response"]
    values = [json.loads(d) for d in _data(text)]
    return "done" if "event: done" in text else "error" if "event: error" in text else "cut", "".join(v.get("delta", "") for v in values)


def _end_of_chat(text, streamed):
    if not streamed:
        value = json.loads(text)
        return "done", value["choices"][0]["message"]["content"]
    data = _data(text)
    values = [json.loads(d) for d in data if d != "[DONE]"]
    words = "".join(c["delta"].get("content") or "" for v in values for c in v.get("choices", []))
    failed = any("error" in v for v in values)
    return "error" if failed and data[-1] != "[DONE]" else "done" if data[-1] == "[DONE]" and not failed else "cut", words


def _end_of_messages(text, streamed):
    if not streamed:
        value = json.loads(text)
        return "done", "".join(b.get("text", "") for b in value["content"])
    values = [json.loads(d) for d in _data(text)]
    words = "".join(v["delta"].get("text", "") for v in values if v["type"] == "content_block_delta")
    return {"message_stop": "done", "error": "error"}.get(values[-1]["type"], "cut"), words


ENDS = {"/ask": _end_of_ask, "/v1/chat/completions": _end_of_chat, "/v1/messages": _end_of_messages}
