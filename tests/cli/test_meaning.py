"""Vectors on the command line: embed, ingest and reembed, near hits and what explains them. With a model made here."""

import json
import os
import signal
import subprocess

from _cli import case, main, validate
from _tiny_model import VOCABULARY, make

DOCUMENTS = {"ports.md": "# Ports\n\nThe server listens on port 5432. Change the port in the settings.\n",
             "doors.md": "# Doors\n\nThe colour of the door is green.\n",
             "sales.md": "# Sales\n\nThe sales report of 2023 is in the archive. The sales report of 2024 is on the desk.\n"}
QUESTION = "Which port does the server listen on?"
OTHER_WORDS = "On which port does the server listen?"


def models(box):
    return os.path.join(box.env["HOME"], ".cache", "aiorch", "models")


def with_model(box, name="tiny", seed=1, threshold=0.9):
    """Makes a model, and a configuration that uses it."""
    make(os.path.join(models(box), name), seed)
    settings = {"embedder.local.model": name, "cache.threshold": threshold, "retrieve.threshold": 0.3}
    box.env["AIORCH_CONFIG"] = box.write("aiorch.json", json.dumps(settings))


def ingested(box, *options):
    for name, text in DOCUMENTS.items():
        box.write("docs/" + name, text)
    return box.json("ingest", *options, box.at("docs"))


def written(box):
    """Bytes that the store's knowledge takes: more when something was stored."""
    return box.size()


def lines(*texts):
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


# ---- embed ----

@case
def embed_gives_tokens_and_a_unit_vector_a_line_in_order(box):
    with_model(box)
    texts = [("port " * (i % 7) + f"{i}").strip() for i in range(300)]
    out = box.run("embed", "-", stdin=lines(*texts), store=False).lines
    assert len(out) == 300 and all(set(line) == {"tokens", "truncated", "embedding"} for line in out)
    port = VOCABULARY.index("port")
    for text, line in zip(texts, out):
        assert line["tokens"][0] == 2 and line["tokens"][-1] == 3 and line["tokens"].count(port) == text.count("port")
        assert len(line["embedding"]) == 32 and abs(sum(x * x for x in line["embedding"]) - 1) < 1e-3
        assert line["truncated"] is False
    alone = box.run("embed", texts[5], store=False).json
    assert alone["tokens"] == out[5]["tokens"]
    assert max(abs(a - b) for a, b in zip(alone["embedding"], out[5]["embedding"])) < 1e-5
    assert not os.path.exists(os.path.join(box.env["XDG_DATA_HOME"], "aiorch")), "it needs no store"


@case
def embed_goes_by_the_options_that_it_has(box):
    with_model(box)
    make(os.path.join(models(box), "other"), seed=9)
    base = box.run("embed", QUESTION, store=False).json["embedding"]
    other = box.run("embed", "--model", "other", QUESTION, store=False).json["embedding"]
    exact = box.run("embed", "--precision", "f32", "--purpose", "query", "--threads", "3", QUESTION, store=False).json["embedding"]
    cosine = lambda a, b: sum(x * y for x, y in zip(a, b))
    assert cosine(base, other) < 0.9 and 0.98 < cosine(base, exact) <= 1.0001
    result = box.run("--json", "embed", "--model", "none", "x", store=False, code=9)
    assert "none" in result.json["error"]["message"]


@case
def embed_names_bad_lines_and_answers_the_others(box):
    with_model(box)
    stdin = '{"text": "port", "id": 7}\nnonsense\n\n{"text": 3}\n{"texts": "x"}\n{"text": ""}\n{"text": "last"}'
    done = subprocess.run(box.command(["embed", "-"], store=False), input=stdin.encode(), env=box.env, capture_output=True,
                          timeout=60, check=False)
    assert done.returncode == 2, done
    assert len(done.stdout.splitlines()) == 3
    said = done.stderr.decode().splitlines()
    assert [line.split(":")[2].strip() for line in said] == ["line 2", "line 4", "line 5"], said
    done = subprocess.run(box.command(["embed", "-", "--json"], store=False), input=stdin.encode(), env=box.env,
                          capture_output=True, timeout=60, check=False)
    kinds = ["error" if "error" in json.loads(line) else "embedding" for line in done.stdout.splitlines()]
    assert kinds == ["embedding", "error", "error", "error", "embedding", "embedding"], kinds


@case
def embed_answers_a_line_before_the_next_is_there(box):
    with_model(box)
    process = box.start("embed", "-", stdin=subprocess.PIPE)
    for text in ("port", "door", "sales"):
        process.stdin.write(lines(text).encode())
        process.stdin.flush()
        assert VOCABULARY.index(text) in json.loads(process.stdout.readline())["tokens"]
    process.stdin.close()
    assert process.wait(60) == 0


@case
def embed_takes_odd_texts(box):
    with_model(box)
    texts = ["", "\x00", "\u200b\ufeff", "x" * 200_000, "word " * 50_000, "\ud800", "\U0001F600", "[SEP] [CLS]"]
    out = box.run("embed", "-", stdin=lines(*texts), store=False).lines
    assert len(out) == len(texts)
    assert out[4]["truncated"] is True and len(out[4]["tokens"]) == 64
    assert out[0]["tokens"] == [2, 3] and out[7]["tokens"].count(3) == 1


@case
def without_a_model_embed_says_how_to_get_one(box):
    error = box.error("embed", "x", store=False, code=7, name="UNSUPPORTED")
    assert "aiorch model pull" in error["message"]


# ---- ingest, reembed ----

@case
def ingest_embeds_what_it_took_in(box):
    with_model(box)
    first = ingested(box)
    assert first["added"] == 3 and first["embedded"] == first["chunks"] and first["to_embed"] == 0, first
    again = ingested(box)
    assert again["unchanged"] == 3 and again["embedded"] == 0 and again["to_embed"] == 0
    box.write("docs/doors.md", DOCUMENTS["doors.md"] + "\n# Windows\n\nThe window is blue.\n")
    changed = box.json("ingest", box.at("docs"))
    assert changed["updated"] == 1 and 1 <= changed["embedded"] <= 2, "what has the same text is not embedded again"


@case
def ingest_without_a_model_says_how_to_get_one(box):
    for name, text in DOCUMENTS.items():
        box.write("docs/" + name, text)
    out = box.run("ingest", box.at("docs")).out
    assert "aiorch model pull" in out and out.startswith("3 documents"), out
    assert "aiorch model pull" not in box.run("ingest", "--quiet", box.at("docs")).out
    assert "aiorch model pull" not in box.run("ingest", "--no-embed", box.at("docs")).out
    assert box.json("ingest", box.at("docs"))["embedded"] is None
    box.error("reembed", code=7, name="UNSUPPORTED")


@case
def no_embed_leaves_it_to_reembed(box):
    with_model(box)
    first = ingested(box, "--no-embed")
    assert "embedded" not in first
    assert box.json("search", "port server")["results"], "text is found at once"
    done = box.json("reembed")
    assert done["embedded"] == first["chunks"] and done["to_embed"] == 0 and done["model"].startswith("tiny/int8"), done
    assert "have their vectors" in box.run("reembed").out


@case
def reembed_makes_room_for_another_model_and_forgets_the_old(box):
    with_model(box)
    chunks = ingested(box)["chunks"]
    box.run("ask", QUESTION)
    make(os.path.join(models(box), "other"), seed=9)
    done = box.json("reembed", "--model", "other", "--threads", "2")
    assert done["embedded"] == chunks + 1 and done["model"].startswith("other/int8") and done["forgotten"] == []
    settings = json.loads(open(box.env["AIORCH_CONFIG"], encoding="utf-8").read())
    settings["embedder.local.model"] = "other"
    box.write("aiorch.json", json.dumps(settings))
    assert box.json("search", "port server")["results"]
    assert box.json("ask", OTHER_WORDS)["cache"]["outcome"] == "semantic", "the kept question has its new vector"
    done = box.json("reembed", "--forget-old")
    assert done["embedded"] == 0 and len(done["forgotten"]) == 1, done
    assert done["forgotten"][0]["model"].startswith("tiny/int8") and done["forgotten"][0]["vectors"] >= chunks
    assert box.json("reembed", "--forget-old")["forgotten"] == []


@case
def embedding_is_interrupted_and_killed_and_goes_on(box):
    with_model(box)
    for i in range(400):
        box.write(f"docs/{i}.md", f"# Report {i}\n\n" + f"The sales report of {i} is on the desk. " * 120)
    first = box.json("ingest", "--no-embed", box.at("docs"))
    for end in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT):
        before = written(box)
        process = box.start("reembed", "--json", "--threads", "2")
        while written(box) < before + 50_000 and process.poll() is None:
            pass  # until it has stored something
        process.send_signal(end)
        process.communicate(timeout=60)
        assert process.returncode in (-end, 130, 0), process.returncode
    rest = box.json("reembed", "--max-time", "60")
    assert rest["to_embed"] == 0 and rest["embedded"] < first["chunks"], (first, rest)
    assert box.json("reembed")["embedded"] == 0


@case
def on_a_terminal_embedding_has_a_bar_of_its_own(box):
    with_model(box)
    for i in range(300):
        box.write(f"docs/{i}.md", f"# Report {i}\n\n" + f"The sales report of {i} is on the desk. " * 60)
    code, out = box.terminal("ingest", box.at("docs"), columns=100)
    assert code == 0 and "/300 files" in out and " passages " in out and "embedded" in out.split("\r")[-1], out[-600:]


# ---- near hits ----

@case
def a_near_question_is_answered_from_the_cache_and_says_how_near(box):
    with_model(box)
    ingested(box)
    first = box.json("ask", QUESTION)
    assert first["cache"]["outcome"] == "miss"
    near = box.json("ask", OTHER_WORDS)
    validate(near, "run")
    assert near["cache"]["outcome"] == "semantic" and near["cache"]["entry_id"] == first["cache"]["entry_id"], near["cache"]
    assert near["answer"] == first["answer"] and 0.9 <= near["cache"]["similarity"] <= 1
    out = box.run("ask", OTHER_WORDS).out
    assert f"similarity {near['cache']['similarity']:.3f}" in out and "kept for: " + QUESTION in out, out
    assert box.json("ask", "--no-cache", OTHER_WORDS)["cache"]["outcome"] == "off"
    assert box.json("ask", "--cache-threshold", "1", OTHER_WORDS)["cache"]["outcome"] == "miss"
    assert box.json("ask", "--cache", "read", "Which door is on the server?")["cache"]["entry_id"] is None


@case
def a_near_question_that_differs_is_refused_and_says_why(box):
    with_model(box, threshold=0.8)
    ingested(box)
    box.run("ask", "What is the sales report of 2023?")
    refused = box.json("ask", "--cache", "read", "What is the sales report of 2024?")["cache"]
    assert refused["outcome"] == "miss" and refused["refused_by"] in ("numbers", "dates"), refused
    out = box.run("ask", "--cache", "read", "What is the sales report of 2024?").out
    assert f"refused by its {refused['refused_by']}: " in out and "2023" in out and "2024" in out, out


@case
def explain_shows_the_nearest_with_each_guard(box):
    with_model(box, threshold=0.8)
    ingested(box)
    box.run("ask", "What is the sales report of 2023?")
    box.run("ask", QUESTION)
    found = box.json("cache", "explain", "What is the sales report of 2024?")
    nearest = found["entries"][0]
    assert found["guards"] == "on" and found["readable"] is True and len(found["entries"]) == 2
    assert nearest["query"] == "What is the sales report of 2023?" and not nearest["hit"]
    assert nearest["refused_by"] in ("numbers", "dates") and any(not g["pass"] for g in nearest["guards"])
    assert found["entries"][0]["similarity"] >= found["entries"][1]["similarity"]
    assert len(box.json("cache", "explain", "--limit", "1", QUESTION)["entries"]) == 1
    out = box.run("cache", "explain", "What is the sales report of 2024?").out
    assert "refused by" in out and "differs in" in out and "the same in" in out and "|" in out and "#" in out, out
    assert "the same question" in box.run("cache", "explain", QUESTION).out
    assert box.json("stats")["runs"] == 2, "explaining asks nobody and leaves no row"


@case
def pairs_compare_two_texts_a_line(box):
    with_model(box, threshold=0.8)
    stdin = "".join(json.dumps(pair) + "\n" for pair in (
        {"a": QUESTION, "b": OTHER_WORDS, "id": 1}, {"a": "Sales of 2023?", "b": "Sales of 2024?"}, {"a": "port", "b": "port"}))
    out = box.run("cache", "pairs", "-", stdin=stdin, store=False).lines
    assert [pair["hit"] for pair in out] == [True, False, True], out
    assert out[0]["refused_by"] is None and out[1]["refused_by"] in ("numbers", "dates")
    assert all({"similarity", "hit", "refused_by"} <= set(pair) for pair in out)
    result = box.run("cache", "pairs", "-", stdin='{"a": "x"}\n' + stdin, store=False, code=2)
    assert len(result.lines) == 3 and 'line 1' in result.err


@case
def verdicts_remove_an_answer_or_keep_it_for_its_own_question(box):
    with_model(box)
    ingested(box)
    entry = box.json("ask", QUESTION)["cache"]["entry_id"]
    assert box.json("cache", "good", entry) == {"id": entry, "verdict": "good"}
    assert box.json("ask", OTHER_WORDS)["cache"]["outcome"] == "semantic"
    assert "own question" in box.run("cache", "not-same", entry).out
    assert box.json("ask", "--cache", "read", OTHER_WORDS)["cache"]["outcome"] == "miss"
    assert box.json("ask", QUESTION)["cache"]["outcome"] == "exact"
    assert "removed" in box.run("cache", "bad", entry).out
    assert box.json("ask", QUESTION)["cache"]["outcome"] == "miss"
    box.error("cache", "bad", entry, code=9, name="NOT_FOUND")
    box.error("cache", "good", "no-id", code=2, name="INVALID")


@case
def an_answer_that_is_too_old_is_no_hit(box):
    with_model(box)
    ingested(box)
    box.run("ask", QUESTION)
    assert box.json("ask", "--max-age", "12h", QUESTION)["cache"]["outcome"] == "exact"
    assert box.json("ask", "--max-age", "0", QUESTION)["cache"]["outcome"] == "exact", "0: any"
    assert box.json("ask", "--cache", "refresh", QUESTION)["cache"]["outcome"] == "miss"
    assert box.json("ask", "--cache", "write", OTHER_WORDS)["cache"]["outcome"] == "miss"


main()
