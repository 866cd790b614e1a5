"""ask, chat and providers with models that are asked over HTTP: servers on this machine that speak OpenAI's interface."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from _cli import case, main, validate
from _fake_llm import FakeLlm, Reply, dead_port

KEY = "sk-test-0123456789abcdef0123456789abcdef"
# Of 100 tokens in, 40 from the provider's cache, and 20 out: 60 * 1000 + 40 * 100 + 20 * 5000 nano-USD.
PRICES = {"prices": [{"model": "tiny-1", "input": 1000000000, "cache_read": 100000000, "cache_write": 0, "cache_write_1h": 0,
                      "output": 5000000000, "date": "2026-11-23", "source": "these tests"}]}
COST = "$0.000164"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def prepare(box, *llms):
    """The words that make each of them a provider, named one, two, ..."""
    box.env["FAKE_KEY"] = KEY
    box.write("prices.json", json.dumps(PRICES))
    words = ["--set", "cost.prices_file=" + box.at("prices.json"), "--set", "retrieve.enabled=false"]
    for name, llm in zip(("one", "two", "three"), llms):
        words += llm.settings(name) if isinstance(llm, FakeLlm) else llm
    return words


def dead(name):
    sets = {"api": "openai", "base_url": dead_port(), "model": "tiny-1", "key": "${FAKE_KEY}"}
    return [word for k, v in sets.items() for word in ("--set", f"providers.{name}.{k}={v}")]


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


# ---- ask ----

@case
def ask_streams_an_answer_and_tells_its_exact_cost(box):
    with FakeLlm() as llm:
        words = prepare(box, llm)
        out = box.run("ask", *words, "Hello?").out
        assert out.startswith("Hello from the fake.\n"), out
        assert re.search(r"^one tiny-1 \| 100 tokens in \(40 cached\), 20 out \| " + re.escape(COST) +
                         r" \| [\d.]+ m?s \| cache miss \(kept for the next time\)$", out, re.M), out
        out = box.run("ask", *words, "Hello?").out
        assert re.search(r"^one tiny-1 \| no tokens \| \$0 \| .* \| cache hit \(the same question was answered before\)$", out, re.M), out
        assert len(llm.requests) == 1 and llm.keys == ["Bearer " + KEY] and llm.requests[0]["stream"] is True
        run = box.json("ask", "--no-cache", *words, "Hello?")
        validate(run, "run")
        assert run["cost_nano_usd"] == 164000 and run["cache"]["outcome"] == "off" and run["answer"] == "Hello from the fake."
        assert box.json("costs")["cost_nano_usd"] == 2 * 164000


@case
def text_comes_as_it_is_written_into_a_pipe(box):
    gate = threading.Event()
    with FakeLlm() as llm:
        llm.always = Reply(pieces=("The first sentence is here. " * 40, "The end."), gate=gate)
        process = box.start("ask", *prepare(box, llm), "Hello?")
        first = os.read(process.stdout.fileno(), 65536)
        assert first.startswith(b"The first sentence") and b"The end." not in first
        gate.set()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0 and b"The end.\n" in out and not err, err


@case
def the_second_provider_answers_when_the_first_is_down_and_it_is_said(box):
    with FakeLlm() as down, FakeLlm() as llm:
        down.always = Reply(status=401, message="Incorrect API key provided")
        words = prepare(box, down, llm)
        result = box.run("ask", *words, "Hello?")
        warnings = result.err.splitlines()
        assert len(warnings) == 1 and re.match(r"aiorch: warning: one failed \(.*\); .*two.* is tried next$", warnings[0]), warnings
        assert "two tiny-1 | 100 tokens in (40 cached), 20 out | " + COST in result.out, result.out
        assert "warning" not in box.run("ask", "--quiet", "--no-cache", *words, "Hello?").err
        run = box.json("ask", "--no-cache", *words, "Hello?")
        assert [a["provider"] for a in run["attempts"]] == ["one", "two"] and run["provider"] == "two"


@case
def a_host_that_is_down_is_passed_over(box):
    with FakeLlm() as llm:
        result = box.run("ask", *prepare(box, dead("one"), llm), "Hello?")
        assert "Hello from the fake." in result.out and re.search(r"^two tiny-1 \| ", result.out, re.M)
        assert re.match(r"aiorch: warning: one failed ", result.err), result.err


@case
def a_busy_provider_is_asked_again_and_it_is_said(box):
    with FakeLlm() as llm:
        llm.replies = [Reply(status=503, message="overloaded", headers={"retry-after-ms": "20"})]
        result = box.run("ask", *prepare(box, llm), "Hello?")
        assert "Hello from the fake." in result.out and len(llm.requests) == 2
        assert re.match(r"aiorch: warning: one failed \(.*\); it is tried again in \d+ ms\n$", result.err), result.err


@case
def provider_model_and_limits_reach_the_request(box):
    with FakeLlm() as first, FakeLlm() as second:
        words = prepare(box, first, second)
        box.run("ask", *words, "--provider", "two,one", "--model", "big-2", "--max-tokens", "77", "--effort", "low",
                "--system", "Be short.", "Hello?")
        assert not first.requests and len(second.requests) == 1
        request = second.requests[0]
        assert request["model"] == "big-2" and 77 in (request.get("max_tokens"), request.get("max_completion_tokens"))
        assert request["reasoning_effort"] == "low" and "Be short." in json.dumps(request["messages"][0])
        error = box.error("ask", *words, "--provider", "nobody", "Hello?", code=7, name="CONFIG")
        assert "nobody" in error["message"]


@case
def tiers_choose_the_model(box):
    with FakeLlm() as llm:
        words = prepare(box, llm) + ["--set", "providers.one.model_simple=small-1", "--set", "providers.one.model_complex=large-1"]
        for tier, model in (("simple", "small-1"), ("complex", "large-1")):
            box.run("ask", "--no-cache", "--tier", tier, *words, "Hello?")
            assert llm.requests[-1]["model"] == model, tier
        box.run("ask", "--no-cache", "--tier", "auto", *words, "Hello?")
        assert llm.requests[-1]["model"] in ("small-1", "large-1", "tiny-1")


@case
def pictures_are_known_by_their_bytes(box):
    kinds = {"png": PNG, "jpeg": b"\xff\xd8\xff\xe0" + bytes(20), "gif": b"GIF89a" + bytes(20), "webp": b"RIFF\x10\0\0\0WEBPVP8 " + bytes(8)}
    with FakeLlm() as llm:
        words = prepare(box, llm)
        for kind, content in kinds.items():
            file = box.write("picture.dat", content)
            box.run("ask", "--no-cache", "--image", file, "--image", "https://example.com/a.png", *words, "What is it?")
            parts = llm.requests[-1]["messages"][-1]["content"]
            urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
            assert urls[0].startswith(f"data:image/{kind};base64,") and urls[1] == "https://example.com/a.png", (kind, urls)
            import base64
            assert base64.b64decode(urls[0].split(",")[1]) == content
        asked = len(llm.requests)
        for content, code, said in ((b"%PDF-1.7 no picture", 2, "is no PNG, JPEG, GIF or WebP"), (b"", 2, "is no PNG"),
                                    (PNG + bytes(12 << 20), 2, "has more than 11.5 MB")):
            file = box.write("picture.dat", content)
            assert said in box.run("ask", "--image", file, *words, "What is it?", code=code).err
        assert "cannot be read" in box.run("ask", "--image", box.at("none.png"), *words, "x", code=9).err
        assert len(llm.requests) == asked


@case
def a_schema_goes_along(box):
    with FakeLlm() as llm:
        words = prepare(box, llm)
        schema = {"type": "object", "properties": {"rooms": {"type": "integer"}}, "required": ["rooms"], "additionalProperties": False}
        llm.always = Reply(pieces=('{"rooms":', " 3}"))
        result = box.run("ask", "--quiet", "--schema", box.write("rooms.json", json.dumps(schema)), *words, "How many?")
        assert json.loads(result.out) == {"rooms": 3}
        assert llm.requests[0]["response_format"]["json_schema"]["schema"] == schema
        for content, said in (("{", "is no JSON from byte"), ("[1]", "must hold a JSON object")):
            assert said in box.run("ask", "--schema", box.write("bad.json", content), *words, "x", code=2).err
        box.run("ask", "--schema", box.at("none.json"), *words, "x", code=9)


@case
def tool_calls_are_shown(box):
    calls = [{"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}]
    with FakeLlm() as llm:
        llm.always = Reply(pieces=(), tool_calls=calls, finish="tool_calls")
        tools = {"tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]}
        words = prepare(box, llm) + ["--set", "generate.provider_options=" + json.dumps(tools)]
        out = box.run("ask", "--no-cache", *words, "Weather?").out
        assert '\nTool calls\n  weather {"city":"Oslo"} call_7\n' in out, out
        run = box.json("ask", "--no-cache", *words, "Weather?")
        assert run["tool_calls"][0]["name"] == "weather" and run["finish_reason"] == "tool_calls"


@case
def what_cuts_an_answer_off_is_said(box):
    with FakeLlm() as llm:
        words = prepare(box, llm)
        llm.always = Reply(finish="length")
        assert "limit of tokens (--max-tokens)" in box.run("ask", "--no-cache", *words, "Hello?").err
        llm.always = Reply(finish="content_filter")
        assert "filter" in box.run("ask", "--no-cache", *words, "Hello?").err


@case
def nobody_answers_exit_5_and_says_each(box):
    with FakeLlm() as llm:
        llm.always = Reply(status=401, message="Incorrect API key provided: " + KEY)
        words = prepare(box, llm)
        result = box.run("--json", "ask", "--provider", "one", *words, "Hello?", code=5)
        run = result.json
        validate(run, "run")
        assert run["error"]["name"] == "PROVIDERS_UNAVAILABLE" and run["attempts"][0]["http_status"] == 401
        assert KEY not in result.out + result.err
        plain = box.run("ask", "--provider", "one", *words, "Hello?", code=5).out
        assert re.search(r"^one tiny-1 \| no tokens \| \$0 \| ", plain, re.M), plain
        result = box.run("ask", *words, "Hello?")
        assert "extractive (sentences of the documents; no model answered)" in result.out and "extractive is tried next" in result.err


FIRST = "The first sentence is here. " * 40
CUT_OFF = r"^one tiny-1 \| (\d+) tokens in, (\d+) out, estimated \| \$(0\.\d+) \| "


def is_settled_as_estimate(box):
    """The ledger has the one run: its tokens by the estimate, and what they cost."""
    costs = box.json("costs")
    assert costs["runs"] == 1 and costs["unknown_price_runs"] == 0 and costs["cost_nano_usd"] > 500000, costs
    as_it_should_be = ("state = 1 AND input_tokens > 0 AND output_tokens > 100 AND CAST(estimated AS INTEGER) = 1"
                       " AND cost_nano_usd = 1000 * input_tokens + 5000 * output_tokens")
    assert box.ledger("SELECT count(*) FROM ai_attempts") == 1
    assert box.ledger(f"SELECT count(*) FROM ai_attempts WHERE {as_it_should_be}") == 1
    assert re.search(r"^1 run cost \$0\.00\d+$", box.run("costs").out, re.M)


@case
def ctrl_c_cancels_and_tells_what_is_known_of_the_cost(box):
    gate = threading.Event()
    with FakeLlm() as llm:
        llm.always = Reply(pieces=(FIRST, "The end."), gate=gate)
        words = prepare(box, llm)
        process = box.start("ask", *words, "Hello?")
        out = os.read(process.stdout.fileno(), 65536)
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
        out = (out + rest).decode()
        assert process.returncode == 130 and "The end." not in out, (process.returncode, out[-500:], err)
        figures = re.search(CUT_OFF, out, re.M)
        assert figures and int(figures.group(1)) > 0 and int(figures.group(2)) > 100, out[-500:]
        assert "cancelled" in err.decode().lower()
        wait_for(lambda: llm.broken == 1)
        gate.set()
        is_settled_as_estimate(box)


@case
def ctrl_c_on_a_terminal(box):
    gate = threading.Event()
    with FakeLlm() as llm:
        llm.always = Reply(pieces=(FIRST, "The end."), gate=gate)
        code, out = box.terminal("ask", "--color=never", *prepare(box, llm), "Hello?", keys=[("The first sentence", b"\x03")])
        gate.set()
        assert code == 130 and "The end." not in out, (code, out[-500:])
        assert re.search(CUT_OFF, out, re.M) and "cancelled" in out.lower(), out[-500:]
        is_settled_as_estimate(box)


@case
def ctrl_c_in_json_and_before_anything_came(box):
    gate = threading.Event()
    with FakeLlm() as llm:
        llm.always = Reply(pieces=("The end.",), gate=gate)
        process = box.start("--json", "ask", *prepare(box, llm), "Hello?")
        wait_for(lambda: llm.requests)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        gate.set()
        run = json.loads(out)
        validate(run, "run")
        assert process.returncode == 130 and run["error"]["name"] == "CANCELLED" and run["answer"] in (None, ""), (run, err)
        assert run["cost_nano_usd"] == 1000 * run["usage"]["input"] > 0 and run["usage"]["estimated"], run
        assert run["attempts"][0]["outcome"] == "cancelled", run
        assert box.json("costs")["cost_nano_usd"] == run["cost_nano_usd"]


@case
def a_connection_cut_before_anything_came_has_no_cost_that_is_known(box):
    with FakeLlm() as llm, socket.create_server(("127.0.0.1", 0)) as silent:
        words = [word.replace(llm.url, f"http://127.0.0.1:{silent.getsockname()[1]}/v1") for word in prepare(box, llm)]
        process = box.start("ask", *words, "--set", "generate.attempts=1", "Hello?")
        connection = silent.accept()[0]
        received = b""
        while b"Hello?" not in received:
            received += connection.recv(65536)
        connection.close()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0 and b"extractive is tried next" in err, (process.returncode, err)
        assert re.search(rb"tokens not counted \| cost unknown \(cut off before it was counted\) \|", out), (out, err)
        assert box.json("costs")["unknown_price_runs"] == 1
        assert "1 more whose cost is unknown" in box.run("costs").out


# ---- chat ----

@case
def chat_sends_what_was_said_and_adds_the_costs_up(box):
    with FakeLlm() as llm:
        words = prepare(box, llm)
        llm.replies = [Reply(pieces=("Oslo.",)), Reply(pieces=("In Norway.",))]
        file = box.write("a.png", PNG)
        out = box.run("chat", *words, stdin=f"/system Be short.\nWhich town?\n/image {file}\nAnd where is it?\n").out
        assert "Oslo.\n" in out and "In Norway.\n" in out and out.endswith("2 messages | 200 tokens in (80 cached), 40 out | $0.000328 in all\n"), out
        messages = llm.requests[1]["messages"]
        assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"], messages
        assert "Be short." in json.dumps(messages[0]) and "Which town?" in json.dumps(messages[1]) and "Oslo." in json.dumps(messages[2])
        assert "data:image/png" in json.dumps(messages[3])


@case
def chat_goes_on_after_a_stopped_answer(box):
    gate = threading.Event()
    with FakeLlm() as llm:
        llm.replies = [Reply(pieces=("The first sentence is here. " * 40, "The end."), gate=gate), Reply(pieces=("Good.",))]
        words = prepare(box, llm)
        code, out = box.terminal("chat", "--color=never", *words,
                                 keys=[("> ", b"Hello?\n"), ("The first sentence", b"\x03"), ("> ", b"And now?\n"), ("Good.", b""),
                                       ("> ", b"/quit\n")])
        gate.set()
        assert code == 0 and "The end." not in out and "2 messages" in out, out
        assert "The first sentence" in json.dumps(llm.requests[1]["messages"]), "what was given out was said"


@case
def chat_without_a_terminal_ends_with_ctrl_c(box):
    gate = threading.Event()
    with FakeLlm() as llm:
        llm.always = Reply(pieces=(FIRST, "The end."), gate=gate)
        process = box.start("chat", *prepare(box, llm), stdin=subprocess.PIPE)
        process.stdin.write(b"Hello?\nAnd now?\n")
        process.stdin.flush()
        out = os.read(process.stdout.fileno(), 65536)
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
        out = (out + rest).decode()
        gate.set()
        assert process.returncode == 130 and "The end." not in out and len(llm.requests) == 1, (process.returncode, out[-500:], err)
        assert re.search(CUT_OFF, out, re.M), out[-500:]
        assert re.search(r"^1 message \| \d+ tokens in, \d+ out, estimated \| \$0\.\d+ in all$", out, re.M), out[-500:]
        is_settled_as_estimate(box)


def weather_calls(*towns):
    return [{"id": f"call_{i}", "type": "function", "function": {"name": "weather", "arguments": json.dumps({"city": town})}}
            for i, town in enumerate(towns)]


def said(request):
    return [m for m in request["messages"] if m["role"] != "system"]


def tool_words():
    tools = {"tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]}
    return ["--set", "generate.provider_options=" + json.dumps(tools)]


@case
def chat_gives_results_of_tools_and_the_answer_goes_on(box):
    with FakeLlm() as llm:
        words = prepare(box, llm) + tool_words()
        llm.replies = [Reply(pieces=("Let me look.",), tool_calls=weather_calls("Oslo", "Bergen"), finish="tool_calls"),
                       Reply(pieces=("Dry in Oslo.",)), Reply(pieces=("Yes.",))]
        lines = ("Weather?", "/tool", "/tool call_0 {\"rain\": false}", "/tool weather It rains.", "Sure?")
        result = box.run("chat", *words, stdin="\n".join(lines) + "\n")
        assert len(llm.requests) == 3, "asked again as soon as each call has its result, and not before"
        first, second, third = map(said, llm.requests)
        assert [m["role"] for m in second] == ["user", "assistant", "tool", "tool"], second
        assert "Let me look." in json.dumps(second[1]["content"]) and second[1]["tool_calls"] == weather_calls("Oslo", "Bergen"), second[1]
        assert [(m["tool_call_id"], m["content"]) for m in second[2:]] == [("call_0", '{"rain": false}'), ("call_1", "It rains.")], second
        assert [m["role"] for m in third] == ["user", "assistant", "tool", "tool", "assistant", "user"] and third[:4] == second, third
        assert first == third[:1]
        for words in ("/tool NAME RESULT", "waits for the result of call_0", "waits for the result of call_1", "Dry in Oslo.", "3 messages"):
            assert words in result.out, (words, result.out)


@case
def chat_goes_on_without_a_result(box):
    with FakeLlm() as llm:
        words = prepare(box, llm) + tool_words()
        llm.replies = [Reply(pieces=(), tool_calls=weather_calls("Oslo", "Bergen"), finish="tool_calls"), Reply(pieces=("Then not.",)),
                       Reply(pieces=("Bye.",))]
        box.run("chat", *words, stdin="Weather?\n/tool call_1 It rains.\nNever mind.\nBye\n")
        second, third = map(said, llm.requests[1:])
        assert [m["role"] for m in second] == ["user", "assistant", "tool", "tool", "user"], second
        assert second[1]["tool_calls"] == weather_calls("Oslo", "Bergen") and not second[1].get("content"), second[1]
        assert "went on without" in second[2]["content"] and second[3]["content"] == "It rains.", second
        assert third[:5] == second and [m["role"] for m in third[5:]] == ["assistant", "user"], third


@case
def chat_says_what_is_wrong_with_a_result(box):
    for lines, words in ((("/tool x",), "no tool waits for a result"), (("Weather?", "/tool call_0 Dry.", "/tool call_0 again"), "has its result already"),
                         (("Weather?", "/tool rain yes"), "'rain' is no tool that waits"), (("Weather?", "/tool weather"), "the result of weather is missing")):
        with FakeLlm() as llm:
            llm.replies = [Reply(pieces=(), tool_calls=weather_calls("Oslo", "Bergen"), finish="tool_calls")]
            result = box.run("chat", "--no-cache", *prepare(box, llm), *tool_words(), stdin="\n".join(lines) + "\n", code=2)
            assert words in result.err and len(llm.requests) == ("Weather?" in lines), (lines, result.err)


@case
def chat_saves_tool_calls_and_takes_their_results_again(box):
    with FakeLlm() as llm:
        words = prepare(box, llm) + tool_words()
        llm.replies = [Reply(pieces=(), tool_calls=weather_calls("Oslo"), finish="tool_calls"), Reply(pieces=("Dry.",))]
        box.run("chat", *words, stdin="Weather?\n/tool Dry it is.\n/save talk.json\n/save talk.md\n/save open.json\n")
        request = json.load(open(box.at("talk.json"), encoding="utf-8"))
        validate(request, "request")
        assert [m["role"] for m in request["messages"]] == ["user", "assistant", "tool", "assistant"], request
        call = request["messages"][1]["content"][0]
        assert call["type"] == "tool_call" and call["id"] == "call_0" and call["arguments"] == '{"city": "Oslo"}', call
        result = request["messages"][2]["content"][0]
        assert result["type"] == "tool_result" and result["text"] == "Dry it is." and not result.get("is_error"), result
        request["messages"].append({"role": "user", "content": "Sure?"})
        assert box.run("stage", "validate", "-", stdin=json.dumps(request))
        text = open(box.at("talk.md"), encoding="utf-8").read()
        assert '`weather` `{"city": "Oslo"}`' in text and "Dry it is." in text and text.count("## User") == 1, text


@case
def chat_leaves_a_question_out_with_its_tools(box):
    with FakeLlm() as llm:
        words = prepare(box, llm) + tool_words()
        llm.replies = [Reply(pieces=(), tool_calls=weather_calls("Oslo " * 200), finish="tool_calls"), Reply(pieces=("Dry.",)), Reply()]
        box.run("chat", "--history", "100", *words, stdin="Weather?\n/tool Dry it is.\nSure?\n")
        assert [m["role"] for m in said(llm.requests[1])] == ["user", "assistant", "tool"], "what is under way is sent whole"
        assert [m["role"] for m in said(llm.requests[2])] == ["user"], "no result is sent without its call"


@case
def chat_changes_whom_it_asks(box):
    with FakeLlm() as first, FakeLlm() as second:
        words = prepare(box, first, second)
        box.run("chat", *words, stdin="Hello?\n/provider two\n/model other\nAnd you?\n")
        assert len(first.requests) == 1 and second.requests[0]["model"] == "other"


# ---- providers ----

@case
def providers_lists_names_hosts_and_where_keys_come_from(box):
    box.env.update(FAKE_KEY=KEY, OTHER_KEY=KEY + "2", ANTHROPIC_API_KEY="sk-ant-" + KEY)
    config = box.write("aiorch.json", json.dumps({"providers": {
        "box": {"api": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m-1"},
        "openai": {"key": "${FAKE_KEY} *3, ${OTHER_KEY}", "model": "m-2", "context_tokens": 1000}}}))
    result = box.run("--json", "providers", "--config", config)
    found = {p["name"]: p for p in result.json["providers"]}
    assert found["anthropic"]["keys_from"] == "ANTHROPIC_API_KEY" and found["anthropic"]["hosts"] == ["api.anthropic.com"]
    assert found["openai"]["keys"] == 2 and found["openai"]["keys_from"] == f"FAKE_KEY, OTHER_KEY in {config}"
    assert found["openai"]["context_tokens"] == 1000 and found["openai"]["model"] == "m-2" and found["openai"]["kind"] == "http"
    assert found["box"]["keys"] == 0 and found["box"]["keys_from"] is None and found["box"]["hosts"] == ["127.0.0.1"]
    assert found["extractive"]["kind"] == "builtin"
    plain = box.run("providers", "--config", config, "--set", "providers.box.key=${FAKE_KEY}")
    assert re.search(r"anthropic +anthropic +\S+ +api\.anthropic\.com +1 from ANTHROPIC_API_KEY", plain.out), plain.out
    assert re.search(r"box +openai +m-1 +127\.0\.0\.1 +1 from FAKE_KEY in --set", plain.out), plain.out
    literal = box.write("literal.json", json.dumps({"providers.box.key": KEY}))
    placed = box.json("providers", "--config", literal, "--set", "providers.box.api=openai", "--set", "providers.box.model=m",
                      "--set", "providers.box.base_url=http://127.0.0.1:9")
    assert {p["name"]: p for p in placed["providers"]}["box"]["keys_from"] == literal
    warned = box.run("providers", "--config", config, "--set", "providers.box.key=" + KEY)
    assert "others on this machine can read it" in warned.err
    for text in (result, plain, warned):
        assert KEY not in text.out + text.err


@case
def a_key_does_not_follow_the_address_of_a_file(box):
    box.env.update(OPENAI_API_KEY=KEY)
    with FakeLlm() as llm:
        elsewhere = {"base_url": llm.url, "model": "m"}
        config = box.write("elsewhere.json", json.dumps({"providers": {"openai": elsewhere}}))
        result = box.run("ask", "--config", config, "Hello?")
        assert "is not sent there" in result.err and llm.keys == [None], (result.err, llm.keys)
        both = box.write("both.json", json.dumps({"providers": {"openai": dict(elsewhere, key="${OPENAI_API_KEY}")}}))
        result = box.run("ask", "--no-cache", "--config", both, "Hello?")
        assert not result.err and llm.keys[1] == "Bearer " + KEY
        box.run("ask", "--no-cache", "--set", "providers.openai.model=m", "Hello?", env={"OPENAI_BASE_URL": llm.url})
        assert llm.keys[2] == "Bearer " + KEY


@case
def providers_says_how_to_set_one_up(box):
    assert "ANTHROPIC_API_KEY" in box.run("providers").out
    assert box.error("providers", "check", code=5, name="PROVIDERS_UNAVAILABLE")
    assert "timeout" in box.run("providers", "--timeout", "5", code=2).err
    assert "one of: check" in box.run("providers", "chekc", code=2).err


@case
def check_asks_each_once_and_all_at_once(box):
    with FakeLlm() as good, FakeLlm() as bad:
        good.always = Reply(pieces=("ready",), model="tiny-1-of-today")
        bad.always = Reply(status=401, message="Incorrect API key provided")
        words = prepare(box, good, bad, dead("three"))
        result = box.run("--json", "providers", "check", *words)
        found = {p["name"]: p for p in result.json["providers"]}
        one, two, three = found["one"], found["two"], found["three"]
        assert one["reachable"] and one["answered_model"].startswith("tiny-1") and one["latency_ms"] is not None
        assert one["keys_from"] == "FAKE_KEY in --set" and one["message"] is None
        assert not two["reachable"] and two["http_status"] == 401 and "Incorrect API key" in two["message"]
        assert not three["reachable"] and three["http_status"] is None and three["message"]
        assert len(good.requests) == 1 and len(bad.requests) == 1
        request = good.requests[0]
        assert max(request.get("max_tokens") or 0, request.get("max_completion_tokens") or 0) == 16
        plain = box.run("providers", "check", *words).out
        assert re.search(r"^one +yes +[\d.]+ m?s +tiny-1", plain, re.M), plain
        assert re.search(r"^two +no .*HTTP 401: .*Incorrect API key", plain, re.M), plain
        assert KEY not in result.out + plain
        box.run("providers", "check", "two", "three", *words, code=5)
        assert len(box.json("providers", "check", "one", *words)["providers"]) == 1
        box.error("providers", "check", "nobody", *words, code=9, name="NOT_FOUND")


@case
def check_gives_a_silent_one_up(box):
    gate = threading.Event()
    with FakeLlm() as llm:
        llm.always = Reply(pieces=("one moment",), gate=gate)
        result = box.run("--json", "providers", "check", "--timeout", "1", *prepare(box, llm), code=5)
        gate.set()
        assert not result.json["providers"][0]["reachable"] and result.json["providers"][0]["error"]


if "--serve" in sys.argv:  # a server to try things by hand
    with FakeLlm() as server:
        print(server.url, flush=True)
        threading.Event().wait()

main()
