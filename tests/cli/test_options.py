"""Options, help, usage errors, the terminal, stores that cannot be used."""

import os
import re
import signal
import sqlite3
import subprocess
import time

from _cli import CLI, case, main, on_disk, validate

COMMANDS = ["ask", "chat", "ingest", "search", "documents", "cache", "costs", "stats", "spool", "model",
            "embed", "reembed", "config", "stage", "screen", "version"]
DOCUMENT = "# Doors\n\nThe door of the house is green.\n\nThe window is blue.\n"


# ---- help ----

@case
def help_of_each_command_teaches_with_an_example(box):
    overview = box.run("--help", store=False).out
    for command in COMMANDS:
        text = box.run(command, "--help", store=False).out
        assert re.search(rf"^Example$\n(  .*\n)*  .*aiorch {command}\b", text, re.M), text
        assert f"Usage: aiorch {command}" in text and "--json" in text
        assert re.search(rf"^  {command} ", overview, re.M)
        assert box.run("help", command, store=False).out == text
        assert all(len(line) <= 110 for line in text.splitlines())
    for code in ("0 ok", "3 refused", "4 rate", "130 interrupted"):
        assert code in overview


# ---- usage ----

@case
def usage_errors_exit_2_and_name_what_is_near(box):
    for args, words in (
            ([], "which command"), (["aks"], "'ask'"), (["ask"], "QUESTION"), (["ask", "--jsn", "x"], "--json"),
            (["ask", "--prune", "x"], "--prune"), (["search", "--limit", "0", "x"], "--limit"),
            (["search", "--limit", "many", "x"], "--limit"), (["search", "--limit", "101", "x"], "100"),
            (["search", "--limit"], "needs a value"), (["ask", "--color=pink", "x"], "pink"),
            (["ask", "--filter", "novalue", "x"], "novalue"), (["ask", "--json=1", "x"], "no value"),
            (["documents", "burn"], "list show remove"), (["documents", "show"], "SOURCE"),
            (["cache", "invalidate"], "TAG"), (["cache", "purge", "all"], "all"), (["costs", "now"], "no argument"),
            (["config", "check", "a", "b"], "too many"), (["ask", "--tenant=", "x"], "--tenant needs a name of 1 to 255"),
            (["ask", "--user", "u" * 256, "x"], "has 256"),
            (["stats", "--set", "x"], "--set"), (["config", "explain"], "check show describe"),
            (["ingest"], "PATH"), (["ask", "--cache", "maybe", "x"], "on|off|read|write|refresh"),
            (["ask", "--cache", "on", "--no-cache", "x"], "twice"), (["ask", "--max-age", "soon", "x"], "90s"),
            (["ask", "--threads", "2", "x"], "--threads"), (["ingest", "--threads", "0", "x"], "1 to 256"),
            (["embed", "--precision", "f8", "x"], "int8|f32"), (["embed", "--purpose", "fun", "x"], "query|passage"),
            (["cache", "explain"], "TEXT"), (["cache", "pairs"], "stdin"), (["cache", "bad"], "ID"),
            (["reembed", "x"], "no argument"), (["ask", "--tier", "huge", "x"], "simple|complex|auto"),
            (["ask", "--effort", "some", "x"], "none|minimal|low"), (["ask", "--max-tokens", "0", "x"], "1 to 1000000"),
            (["chat", "hello"], "no argument"), (["search", "--provider", "a", "x"], "--provider"),
            (["ask", "--history", "5", "x"], "--history"), (["stats", "--model", "m"], "--model")):
        error = box.error(*args, code=2, name="INVALID")
        assert words in error["message"], (args, error)


@case
def another_word_altogether_is_not_taken_for_a_slip(box):
    for args in (["ask", "--frob", "x"], ["frobnicate"], ["ask", "--deadline", "x"]):
        assert "did you mean" not in box.error(*args, code=2, name="INVALID")["message"], args


@case
def whatever_is_wrong_with_a_configuration_exits_7_and_a_missing_one_9(box):
    box.write("big.json", '{"store": "' + "x" * 5_000_000 + '"}')
    box.write("comma.json", '{"cache": {"ttl_s": 5,}}')
    for name in (box.path, "big.json", "comma.json"):
        for args in (["config", "check", name], ["ask", "--config", name, "x"]):
            assert box.run("--json", *args, code=7, store=False).json["error"]["message"]
    box.run("config", "check", "nowhere.json", code=9, store=False)


@case
def options_stand_before_or_after_and_dashes_end_them(box):
    box.write("d.md", DOCUMENT)
    box.run("ingest", "d.md")
    assert box.run("search", "door", "--json", store=True).json["results"]
    after = subprocess.run([CLI, "search", "door", f"--store={box.store}", "--json", "--limit=1"], env=box.env,
                           capture_output=True, check=True)
    assert b'"results"' in after.stdout
    assert box.run("--json", "search", "--", "--door").json["results"]


@case
def a_text_without_a_terminal_has_no_colour_unless_asked(box):
    box.write("d.md", DOCUMENT)
    box.run("ingest", "d.md")
    assert "\033[" not in box.run("ask", "door").out
    assert "\033[" in box.run("ask", "--color=always", "door").out
    assert "\033[" in box.run("--color", "always", "--help", store=False).out
    assert "\033[" not in box.run("--color=never", "--help", store=False).out


@case
def an_error_before_a_run_is_the_error_alone(box):
    result = box.run("--json", "ask", "--tenant", "", "x", code=2)
    assert set(result.json) == {"error"}
    streamed = box.run("--stream-json", "ask", "--set", "nonsense=1", "x", code=7).lines
    assert len(streamed) == 1 and streamed[0]["type"] == "error"
    validate(streamed[0], "event")


# ---- the terminal ----

@case
def on_a_terminal_there_is_colour_and_progress(box):
    for i in range(200):
        box.write(f"docs/{i}.md", DOCUMENT + f"\nNumber {i}. " + "words " * 2000)
    code, out = box.terminal("ingest", box.at("docs"))
    assert code == 0 and re.search(r"\d+% \d+/200 files [\d.]+ \w+/s ETA [\d:-]+", out), out[-500:]
    assert "200 documents" in out.split("\r")[-1]
    code, out = box.terminal("ingest", "--quiet", box.at("docs"))
    assert code == 0 and out == ""
    code, out = box.terminal("ask", "Which door is green?")
    assert code == 0 and "\033[1mSources\033[0m" in out
    for options, env in ((("--color=never",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})):
        code, out = box.terminal("ask", *options, "Which door is green?", env=env)
        assert code == 0 and "\033[" not in out
    code, out = box.terminal("ingest", box.at("docs"), env={"TERM": "dumb"})
    assert code == 0 and "ETA" not in out
    code, out = box.terminal("ask", "--json", "Which door is green?")
    assert code == 0 and out.startswith('{"run_id"')


@case
def nothing_that_is_stored_drives_the_terminal(box):
    box.write("evil.md", "# Title \033]0;owned\007\n\nThe door is \033[31mgreen\033[0m \u009b31m now.\n")
    box.run("ingest", "evil.md")
    for command in (("search", "door green"), ("documents", "list"), ("documents", "show", "evil.md"),
                    ("ask", "Is the door green?")):
        code, out = box.terminal(*command, "--color=never")
        assert code == 0 and "\033" not in out and "\007" not in out and "\u009b" not in out, (command, out)
    assert "\033[31m" in box.run("documents", "show", "evil.md").out


@case
def narrow_terminals_wrap(box):
    box.write("long.md", "# Long\n\n" + "door " * 200)
    box.run("ingest", "long.md")
    code, out = box.terminal("search", "--color=never", "door", columns=40)
    snippet = [line for line in out.splitlines() if line.startswith("    door")]
    assert code == 0 and len(snippet) > 1 and max(map(len, snippet)) <= 40


# ---- output that cannot be written, interrupts ----

@case
def a_full_output_is_an_error(box):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CLI, "config", "describe"], stdout=full, stderr=subprocess.PIPE, env=box.env,
                              check=False)
    assert done.returncode == 1 and b"stdout" in done.stderr


@case
def ingest_interrupted_exits_130_with_counts_and_keeps_what_it_counted(box):
    for i in range(3000):
        box.write(f"docs/{i:04}.md", DOCUMENT + f"\nNumber {i}. " + "words " * 500)
    for _ in range(10):  # this program may stand still for so long that all is done
        process = box.start("--json", "ingest", box.at("docs"))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not box.has_begun():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        if process.returncode != 0:
            break
        box.empty_store()
    assert process.returncode == 130, (process.returncode, err)
    if out:
        import json
        counts = json.loads(out)
        assert counts["documents"] < 3000 and b"interrupted" in err
        assert len(box.json("documents", "list")["documents"]) == counts["documents"]


@case
def a_second_interrupt_ends_at_once(box):
    process = box.start("screen", "-", stdin=subprocess.PIPE)
    process.stdin.write(b'{"text": "x"}\n')
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


# ---- stores ----

@case
def a_store_that_is_none_exits_6_and_is_left_as_it_is(box):
    for name in ("knowledge.db", "ledger.db"):
        folder = box.at("bad-" + name)
        path = box.write(f"bad-{name}/{name}", b"this is no database, but a long text " * 500)
        before = open(path, "rb").read()
        result = box.run("--json", "--store", folder, "stats", code=6, store=False)
        assert result.json["error"]["name"] == "STORE_CORRUPT" and folder in result.err, result.err
        assert open(path, "rb").read() == before


@case
@on_disk
def a_store_of_a_newer_version_exits_6(box):
    box.run("stats")
    for name in ("knowledge.db", "ledger.db"):
        database = sqlite3.connect(f"{box.store}/{name}")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute("PRAGMA user_version = 9999")
        database.close()
        box.error("stats", code=6, name="STORE_NEWER")
        database = sqlite3.connect(f"{box.store}/{name}")
        database.execute(f"PRAGMA user_version = {version}")
        database.close()
    box.run("stats")


@case
def a_store_below_a_file_exits_6_or_1_and_names_it(box):
    path = box.write("file", "x")
    result = box.run("--json", "--store", path + "/store", "stats", code=6, store=False)
    assert path in result.err


@case
def memory_keeps_nothing(box):
    box.write("d.md", DOCUMENT)
    assert box.run("--store", "memory", "--json", "ingest", "d.md", store=False).json["documents"] == 1
    assert box.run("--store", "memory", "--json", "documents", "list", store=False).json["documents"] == []


main()
