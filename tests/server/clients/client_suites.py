"""Clients that others wrote against a real `aiorch serve` over a server of a model that does as the question says.

The arguments are programs: NAME COMMAND..., one after the other, separated by "--". Each asks at $AIORCH_URL, prints "ok" and "not ok", and
ends with 0 when all was well. What came to the model's server is checked here."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from _serve import CLI, KEY, Server, until  # noqa: E402
from _fake_llm import FakeLlm, Reply, _Handler  # noqa: E402

WORDS = "word " * 400  # more than the output check holds back
COLOUR = '{"colour":"red"}'
DIMENSIONS = 8


# Questions whose answer is one status of HTTP or another, and what the server makes of it.
FAILURES = {
    "be refused": lambda: Reply(status=401, message="this key is none"),
    "be rejected": lambda: Reply(status=400, message="a picture of a cat is not taken"),
    "be too long": lambda: Reply(status=400, message="This model's maximum context length is 8192 tokens."),
    "be a secret": lambda: Reply(pieces=["-----BEGIN RSA PRIVATE KEY-----\n", "MIIEpAIBAAKCAQEA" * 8]),
}
SEEN = []


class Cut:
    """Pieces of an answer of which the last never comes."""

    def __len__(self):
        return 2

    def __iter__(self):
        yield WORDS
        time.sleep(0.2)  # so that the words have gone out before
        raise ConnectionResetError


def text_of(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def pictures_of(message):
    content = message.get("content")
    return [part["image_url"]["url"] for part in content if part.get("type") == "image_url"] if isinstance(content, list) else []


def decide(body):
    """What the question wants to be answered."""
    last = body["messages"][-1]
    question = [m for m in body["messages"] if m["role"] == "user"][-1]
    text = text_of(question)
    if last["role"] == "tool":
        return Reply(pieces=["The tool ", f"says {text_of(last)}."])
    if text == "use the tool":
        assert body["tools"][0]["function"]["parameters"]["properties"]["city"], body
        call = {"id": "call_up_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Ulm"}'}}
        return Reply(pieces=(), tool_calls=[call], finish="tool_calls")
    if text == "say json":
        assert body["response_format"]["type"] in ("json_schema", "json_object"), body
        return Reply(pieces=[COLOUR])
    if pictures_of(question):
        return Reply(pieces=["A picture of ", pictures_of(question)[0][5:].split(";")[0], "."])
    if text in FAILURES:
        return FAILURES[text]()
    if text == "be busy once" and text not in SEEN:
        SEEN.append(text)
        return Reply(status=500, message="no time")
    if text == "be busy":
        return Reply(status=500, message="no time")
    if text == "break off":
        reply = Reply()
        reply.pieces = Cut()
        return reply
    if text == "be slow":
        return Reply(pieces=[WORDS, "never"], gate=threading.Event())
    return Reply()


class Handler(_Handler):
    """With a service of embeddings beside it."""

    def do_POST(self):
        if not self.path.endswith("/embeddings"):
            super().do_POST()
            return
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        data = [{"index": i, "embedding": [((len(text) + j) % 7) - 2.5 for j in range(DIMENSIONS)]} for i, text in enumerate(body["input"])]
        self.whole(200, {"model": body["model"], "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}}, {})


class Model(FakeLlm):
    def __init__(self):
        super().__init__()
        self.server.RequestHandlerClass = Handler

    def reply_to(self, body):
        return decide(body)


def programs(words):
    out, current = [], []
    for word in [*words, "--"]:
        if word != "--":
            current.append(word)
        elif current:
            out.append((current[0], current[1:]))
            current = []
    return out


def new_key(server):
    """A key of the server's own, by the command that users have, when the server knows it."""
    made = subprocess.run([CLI, "keys", "create", "--tenant", "acme", "--user", "alice", "--config", server.config_path, "--json"], env=server.env,
                          capture_output=True, timeout=60, check=True)
    key = json.loads(made.stdout)["key"]
    until(lambda: server.request("GET", "/v1/models", headers={"Authorization": "Bearer " + key}).status == 200, "the key")
    return key


def run(name, command, folder):
    config = {"embedder": "openai", "embedder.model": "tiny-embed", "embedder.dimensions": DIMENSIONS, "embedder.key": KEY,
              "retrieve.threshold": 0.5, "cache.threshold": 0.9, "rate_limit.requests": 0, "generate.attempts": 1, "generate.extractive_last": False}
    del SEEN[:]
    config["generate.breaker_failures"] = 1000
    os.makedirs(os.path.join(folder, "limited"))
    limited = {"rate_limit.requests": 2, "deadline_ms": 4000, "generate.attempts": 1, "generate.extractive_last": False}
    with Model() as llm, Server(os.path.join(folder, "limited"), config=limited, llm=llm) as few:
        config["embedder.base_url"] = llm.url
        with Server(folder, {"body_max_bytes": 1 << 20}, config, llm=llm, anonymous=False, store="data") as server:
            env = {**os.environ, "AIORCH_LIMITED_URL": f"http://127.0.0.1:{few.port}", "AIORCH_URL": f"http://127.0.0.1:{server.port}", "AIORCH_KEY": new_key(server), "NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
            ended = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   timeout=240, check=False)
            for line in ended.stdout.splitlines():
                print(f"{name}: {line}")
            good = ended.returncode == 0 and "ok " in ended.stdout
            for text, times in (("be refused", 1), ("be busy once", 2)):  # what cannot help is not asked again, what can is
                asked = sum(1 for r in llm.requests if text_of([m for m in r["messages"] if m["role"] == "user"][-1]) == text)
                if asked not in (0, times):
                    print(f"{name}: not ok \"{text}\" was asked {asked} times")
                    good = False
            keys = set(llm.keys)
            if keys != {"Bearer " + KEY}:
                print(f"{name}: not ok the key of the provider: {keys}")
                good = False
            slow = sum(1 for r in llm.requests if text_of([m for m in r["messages"] if m["role"] == "user"][-1]) == "be slow")
            until = time.monotonic() + 30
            while slow and time.monotonic() < until and llm.broken < slow:
                time.sleep(0.05)
            if llm.broken < slow:
                print(f"{name}: not ok {slow} streams were aborted, {llm.broken} were heard of by the model's server")
                good = False
            return good


def main():
    failed = 0
    for name, command in programs(sys.argv[1:]):
        with tempfile.TemporaryDirectory(prefix="clients-") as folder:
            good = run(name, command, folder)
        print(f"{name}: {'passed' if good else 'FAILED'}", flush=True)
        failed += not good
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
