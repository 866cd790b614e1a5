"""The command line against @copilotkit/aimock over TLS: whole and streamed answers, tool calls, failures, a fallback, the real cost."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from _aimock import Aimock
from _cli import ROOT, case, main, validate
from _fake_llm import dead_port

KEY = "sk-live-0123456789abcdef0123456789abcdef"
PAGE = "# The port\n\nThe server listens on port 5432 unless the setting port in postgresql.conf says another.\n"
QUESTION = "Which port does the server listen on?"
ANSWER = "The server listens on port 5432, unless the setting port says another [1]. " * 8
USAGE = {"prompt_tokens": 1200, "completion_tokens": 150, "input_tokens": 1200, "output_tokens": 150, "promptTokenCount": 1200,
         "candidatesTokenCount": 150, "totalTokenCount": 1350}
CALL = {"id": "call_7", "name": "weather", "arguments": {"city": "Oslo"}}
FIXTURES = [
    {"match": {"userMessage": "Which port", "model": "busy-1"},
     "response": {"error": {"message": "Overloaded", "type": "overloaded_error"}, "status": 529}},
    {"match": {"userMessage": "Which port", "model": "limited-1"},
     "response": {"error": {"message": "Slow down", "type": "rate_limit_error"}, "status": 429, "retryAfter": 600}},
    {"match": {"userMessage": "Which port", "model": "cut-1"}, "response": {"content": ANSWER, "usage": USAGE}, "latency": 5,
     "truncateAfterChunks": 4},
    {"match": {"userMessage": "Which port", "model": "gone-1"}, "response": {"content": ANSWER, "usage": USAGE}, "chaos": {"disconnectRate": 1}},
    {"match": {"userMessage": "Which port", "model": "garbled-1"}, "response": {"content": ANSWER, "usage": USAGE},
     "chaos": {"malformedRate": 1}},
    {"match": {"userMessage": "Which port", "model": "long-1"}, "response": {"content": ANSWER, "usage": USAGE, "finishReason": "length"}},
    {"match": {"userMessage": "Which port"}, "response": {"content": ANSWER, "usage": USAGE}},
    {"match": {"userMessage": "weather"}, "response": {"toolCalls": [CALL], "usage": USAGE}},
]
# What aimock speaks of what we speak: (interface, what stands behind its address, whether it tells tokens there)
FAMILIES = {"openai": ("openai", "/v1", True), "openrouter": ("openai", "/api/v1", True), "anthropic": ("anthropic", "", True),
            "gemini": ("gemini", "/v1beta", True), "ollama": ("ollama", "", False)}


def provider(mock, family, name=None, **more):
    api, path, _ = FAMILIES[family]
    sets = {"api": api, "base_url": mock.url + path, "model": "mock-1", "key": "${LIVE_KEY}", **more}
    if family == "openrouter":
        sets["server"] = "openrouter"
    return [word for k, v in sets.items() for word in ("--set", f"providers.{name or family}.{k}={v}")]


def prepare(box, mock):
    box.env["LIVE_KEY"] = KEY
    box.write("pages/port.md", PAGE)
    box.run("ingest", "--no-embed", box.at("pages"))
    return ["--set", "http.ca_file=" + mock.ca, "--set", "embedder=none", "--set", "generate.attempts=1", "--no-cache"]


def ask(box, mock, family, *words, question=QUESTION, more=None, **kwargs):
    return box.run("ask", *provider(mock, family, **(more or {})), "--provider", family, *words, question, **kwargs)


def prices_of(model):
    with open(os.path.join(ROOT, "lib", "cost", "prices.json"), encoding="utf-8") as file:
        return next(row for row in json.load(file)["prices"] if model in row["model"].split("|") and "above_tokens" not in row)


@case
def each_family_answers_whole_and_streamed(box):
    with Aimock(box, KEY, FIXTURES) as mock:
        words = prepare(box, mock)
        for family, (_, _, counts) in FAMILIES.items():
            for streamed in ("true", "false"):
                mock.forget()
                run = ask(box, mock, family, "--json", *words, more={"stream": streamed}).json
                validate(run, "run")
                assert run["answer"].strip() == ANSWER.strip() and run["provider"] == family, (family, streamed, run)
                assert run["finish_reason"] == "stop" and len(run["attempts"]) == 1 and run["sources"], (family, run)
                if counts:
                    assert run["usage"]["input"] == 1200 and run["usage"]["output"] == 150, (family, run["usage"])
                (asked,) = mock.journal()
                assert asked["response"]["status"] == 200, asked
                assert "5432 unless the setting" in json.dumps(asked["body"]), "the page was not in the prompt"
            plain = ask(box, mock, family, *words).out
            assert plain.startswith(ANSWER.strip()) and "port.md" in plain and re.search(rf"^{family} mock-1 \| ", plain, re.M), plain
        assert mock.front.connections >= 3 * len(FAMILIES)


@case
def the_key_is_checked_at_the_server(box):
    with Aimock(box, KEY, FIXTURES) as mock:
        words = prepare(box, mock)
        for family in FAMILIES:
            run = ask(box, mock, family, "--json", *words, env={"LIVE_KEY": KEY + "x"}, code=5)
            assert run.json["attempts"][0]["http_status"] == 401, (family, run.json["attempts"])
            assert run.json["attempts"][0]["outcome"] == "provider_key" and KEY not in run.out + run.err, run.json["attempts"]


@case
def a_certificate_that_nobody_vouches_for_is_refused(box):
    with Aimock(box, KEY, FIXTURES) as mock:
        words = prepare(box, mock)[2:]
        run = ask(box, mock, "openai", "--json", *words, code=5).json
        assert "certificate" in json.dumps(run["attempts"]) + json.dumps(run["error"]) and not mock.journal(), run


@case
def tool_calls_come_back(box):
    with Aimock(box, KEY, FIXTURES) as mock:
        words = prepare(box, mock)
        for family in FAMILIES:
            for streamed in ("true", "false"):
                run = ask(box, mock, family, "--json", *words, question="How is the weather in Oslo?", more={"stream": streamed}).json
                (call,) = run["tool_calls"]
                assert call["name"] == "weather" and json.loads(call["arguments"]) == {"city": "Oslo"}, (family, run["tool_calls"])
                # aimock ends it with FUNCTION_CALL, which is none of Gemini's reasons: one that is not known is an error there.
                ends = "error" if family == "gemini" else "tool_calls"
                assert run["finish_reason"] == ends, (family, streamed, run["finish_reason"])


@case
def failures_are_what_they_are(box):
    """Of each that aimock is able to make: what the attempt is called, streamed and whole."""
    expected = {"busy-1": ("provider_busy", 529), "limited-1": ("provider_limit", 429), "cut-1": ("network", 200),
                "gone-1": ("network", None), "garbled-1": ("response", 200)}
    with Aimock(box, KEY, FIXTURES) as mock:
        words = prepare(box, mock)
        for family in FAMILIES:
            for model, (outcome, status) in expected.items():
                for streamed in ("true", "false"):
                    if model == "cut-1" and streamed == "false":
                        continue  # there is nothing to cut
                    run = ask(box, mock, family, "--json", *words, more={"stream": streamed, "model": model}, code=5).json
                    (attempt,) = run["attempts"]
                    # Of lines of JSON, one that never ends is a stream that was cut off.
                    here = "truncated" if (family, model, streamed) == ("ollama", "garbled-1", "true") else outcome
                    assert (attempt["outcome"], attempt["http_status"]) == (here, status), (family, model, streamed, attempt)


@case
def an_answer_that_was_cut_off_says_so(box):
    with Aimock(box, KEY, FIXTURES) as mock:
        words = prepare(box, mock)
        for family in FAMILIES:
            if family != "ollama":  # of which aimock always says that it stopped
                run = ask(box, mock, family, "--json", *words, more={"model": "long-1"}).json
                assert run["finish_reason"] == "length", (family, run["finish_reason"])


@case
def a_busy_one_is_followed_by_another_family(box):
    with Aimock(box, KEY, FIXTURES) as mock:
        words = prepare(box, mock)
        for first, second in (("openai", "anthropic"), ("anthropic", "gemini"), ("gemini", "ollama"), ("ollama", "openrouter")):
            result = box.run("ask", *provider(mock, first, model="busy-1"), *provider(mock, second), "--provider", f"{first},{second}", *words, QUESTION)
            assert re.search(rf"^{second} mock-1 \| ", result.out, re.M) and result.out.startswith(ANSWER.strip()), result.out
            assert re.match(rf"aiorch: warning: {first} failed \(the provider is busy.*\); {second} is tried next$", result.err.splitlines()[0]), result.err


@case
def two_keys_in_the_environment_and_the_first_provider_is_down(box):
    """As a new user has it: nothing is set but the variables of both services (and who vouches for the certificate)."""
    with Aimock(box, KEY, FIXTURES) as mock:
        prepare(box, mock)
        box.env.update(ANTHROPIC_API_KEY=KEY + "a", OPENAI_API_KEY=KEY, OPENAI_BASE_URL=mock.url + "/v1", ANTHROPIC_BASE_URL=dead_port())
        result = box.run("ask", "--set", "http.ca_file=" + mock.ca, QUESTION)
        out = result.out
        model = re.search(r"^openai (\S+) \| 1,?200 tokens in, 150 out \| \$([\d.]+) \| ", out, re.M)
        assert out.startswith(ANSWER.strip()) and model, out
        price = prices_of(model.group(1))
        nano = (1200 * price["input"] + 150 * price["output"]) // 1000000
        assert round(float(model.group(2)) * 1e9) == nano, (model.group(0), nano)
        assert "[1]" in out and re.search(r"\[1\].*port\.md|port\.md", out.split("\n\n", 1)[1]), out
        assert re.search(r"^aiorch: warning: anthropic failed .*openai.* is tried next$", result.err, re.M), result.err
        assert box.json("costs")["cost_nano_usd"] == nano
        again = box.run("ask", "--set", "http.ca_file=" + mock.ca, QUESTION)
        assert "cache hit" in again.out and "$0 " in again.out and len(mock.journal()) == 1, again.out
        assert KEY not in result.out + result.err


@case
def providers_check_asks_it(box):
    with Aimock(box, KEY, FIXTURES + [{"match": {}, "response": {"content": "ready", "usage": USAGE}}]) as mock:
        words = prepare(box, mock)[:-1]  # all but --no-cache
        for family in FAMILIES:
            words += provider(mock, family)
        found = {p["name"]: p for p in box.json("providers", "check", *words)["providers"]}
        for family in FAMILIES:
            assert found[family]["reachable"], found[family]


main()
