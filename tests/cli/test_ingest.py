"""aiorch ingest: what is taken in, what is skipped and why, what happens the second time; .gitignore against git."""

import os
import random
import shutil
import subprocess
import threading

from _cli import case, main

TEXT = "The gate of the garden is yellow.\n"


def sources(box, *options):
    return [d["source"] for d in box.json("documents", "list", *options)["documents"]]


def skipped(result):
    return {os.path.basename(s["path"]): s["reason"] for s in result["skipped"]}


# ---- counts ----

@case
def counts_what_is_new_unchanged_updated_and_gone(box):
    for name in ("a.txt", "b.md", "sub/c.html"):
        box.write("docs/" + name, TEXT + name)
    first = box.json("ingest", box.at("docs"))
    assert set(first) == {"documents", "chunks", "added", "unchanged", "updated", "removed", "skipped", "duration_ms",
                          "embedded", "to_embed"}
    assert (first["documents"], first["added"], first["chunks"]) == (3, 3, 3) and first["skipped"] == []
    second = box.json("ingest", "docs")
    assert (second["documents"], second["unchanged"], second["updated"]) == (3, 3, 0)
    os.utime(box.at("docs/a.txt"), (1, 1))
    assert box.json("ingest", "docs")["unchanged"] == 3
    box.write("docs/a.txt", TEXT + "changed")
    os.remove(box.at("docs/b.md"))
    third = box.json("ingest", "docs")
    assert (third["documents"], third["unchanged"], third["updated"], third["removed"]) == (2, 1, 1, 0)
    assert box.at("docs/b.md") in sources(box)
    fourth = box.json("ingest", "--prune", "docs")
    assert (fourth["documents"], fourth["unchanged"], fourth["removed"]) == (2, 2, 1)
    assert sources(box) == [box.at("docs/a.txt"), box.at("docs/sub/c.html")]
    assert "2 documents: 0 new, 0 updated, 2 unchanged, 0 removed" in box.run("ingest", "docs").out
    assert box.run("ingest", "--quiet", "docs").out == ""


@case
def prune_stays_under_the_paths_given(box):
    for name in ("one/a.txt", "one2/b.txt", "two/c.txt"):
        box.write(name, TEXT + name)
    box.run("ingest", "one", "one2", "two")
    for name in ("one", "one2", "two"):
        shutil.rmtree(box.at(name))
    assert box.json("ingest", "--prune", "one")["removed"] == 1
    assert sources(box) == [box.at("one2/b.txt"), box.at("two/c.txt")]
    box.error("ingest", "two", code=9, name="NOT_FOUND")
    assert box.json("ingest", "--prune", "./one2/../two/.")["removed"] == 1
    box.write("one2/b.txt", TEXT)
    box.write("one2/.gitignore", "b.txt\n")
    result = box.json("ingest", "--prune", "one2")
    assert result["removed"] == 0 and box.at("one2/b.txt") in sources(box), "ignored is not gone"


@case
def a_file_named_twice_is_taken_once(box):
    box.write("docs/a.txt", TEXT)
    os.symlink(box.at("docs"), box.at("link"))
    result = box.json("ingest", "docs", "docs/a.txt", "./docs/../docs", "link")
    assert result["documents"] == 1 and sources(box) == [box.at("docs/a.txt")]


@case
def metadata_changes_are_updates(box):
    box.write("a.txt", TEXT)
    box.run("ingest", "a.txt")
    assert box.json("ingest", "--metadata", "product=x", "a.txt")["updated"] == 1
    assert box.json("ingest", "--metadata", "product=x", "a.txt")["unchanged"] == 1


# ---- formats and bad files ----

@case
def other_formats_are_skipped_with_a_reason_and_a_hint(box):
    box.write("d/a.pdf", b"%PDF-1.7 ...")
    box.write("d/named.txt", b"%PDF-1.7 ...")
    box.write("d/b.docx", b"PK\3\4")
    box.write("d/c.png", b"\x89PNG")
    box.write("d/d.zip", b"PK")
    box.write("d/e.bin", os.urandom(5000))
    box.write("d/f", b"\x7fELF\0\0\0\0")
    box.write("d/g.txt", "a b c".encode("utf-16"))
    box.write("d/h.txt", ("Übermäßig süß. " * 50).encode("latin-1"))
    box.write("d/i.txt", "")
    box.write("d/j.txt", " \n\t\n")
    box.write("d/k.css", "a { color: red }")
    box.write("d/l.html", "<html><script>x()</script></html>")
    box.write("d/m.txt", TEXT)
    box.write("d/n.c", "/* " + TEXT + " */ int main(void) { return 0; }")
    box.write("d/o.txt", b"caf\xe9") # too short to look binary; the library refuses it
    result = box.json("ingest", "d")
    reasons = skipped(result)
    assert result["documents"] == 2 and set(reasons) == {
        "a.pdf", "named.txt", "b.docx", "c.png", "d.zip", "e.bin", "f", "g.txt", "h.txt", "i.txt", "j.txt", "k.css",
        "l.html", "o.txt"}
    for name, word in (("a.pdf", "pdftotext"), ("named.txt", "pdftotext"), ("b.docx", "pandoc"), ("c.png", "image"),
                       ("d.zip", "unpack"), ("e.bin", "binary"), ("g.txt", "iconv"), ("h.txt", "iconv"),
                       ("i.txt", "empty"), ("l.html", "empty"), ("o.txt", "iconv")):
        assert word in reasons[name] and box.path not in reasons[name], (name, reasons[name])
    plain = box.run("ingest", "d").out
    assert "skipped 14" in plain and "pdftotext" in plain


@case
def text_without_a_heading_is_called_by_its_file(box):
    box.write("d/plain.txt", TEXT)
    box.write("d/bare.md", "No heading here, only one line of words.\n")
    box.write("d/head.md", "# Doors\n\nA door of oak.\n")
    box.run("ingest", "d")
    titles = {os.path.basename(d["source"]): d["title"] for d in box.json("documents", "list")["documents"]}
    assert titles["plain.txt"] == "plain.txt" and titles["head.md"] == "Doors", titles
    assert titles["bare.md"] == box.at("d/bare.md"), titles
    out = box.run("documents", "list").out
    assert out.count(box.at("d/bare.md")) == 1 and "  bare.md\n" in out and "  plain.txt\n" in out, out


@case
def a_few_bad_bytes_become_replacement_characters(box):
    box.write("a.txt", ("word " * 400).encode() + b"caf\xe9 and a \0 zero" + (" word" * 400).encode())
    assert box.json("ingest", "a.txt")["documents"] == 1
    shown = box.run("documents", "show", "a.txt").raw
    assert b"caf\xef\xbf\xbd and a \xef\xbf\xbd zero" in shown and b"\0" not in shown
    box.write("bom.md", b"\xef\xbb\xbf# First\n\nText.\n")
    box.run("ingest", "bom.md")
    assert box.run("documents", "show", "bom.md").raw == b"# First\n\nText.\n"


@case
def too_large_a_file_is_skipped_unread(box):
    path = box.at("huge.txt")
    with open(path, "wb") as file:
        file.truncate(200_000_000)
    result = box.json("ingest", path)
    assert "knowledge.document_max_bytes" in skipped(result)["huge.txt"] and "200.0 MB" in skipped(result)["huge.txt"]
    box.write("small.txt", TEXT * 100)
    result = box.json("ingest", "--set", "knowledge.document_max_bytes=1024", "small.txt")
    assert "above knowledge.document_max_bytes" in skipped(result)["small.txt"]


@case
def one_line_of_five_megabytes_is_a_document(box):
    box.write("line.txt", "many words in a line " * 250_000)
    result = box.json("ingest", "line.txt")
    assert result["documents"] == 1 and result["chunks"] > 100
    assert box.json("ingest", "line.txt")["unchanged"] == 1


@case
def a_file_that_changes_while_it_is_read_is_not_stored_torn(box):
    path = box.write("log.txt", "a" * 30_000_000)
    stop = threading.Event()

    def writer():
        with open(path, "ab", buffering=0) as file:
            while not stop.is_set():
                if file.write(b" more words") and file.tell() > 40_000_000:  # a busy machine lets it write for long: not above the limit
                    file.truncate(30_000_000)
    thread = threading.Thread(target=writer)
    thread.start()
    try:
        # A busy machine may let the writer wait for as long as the file is read: then it did not change, and is read again.
        for _ in range(10):
            result = box.json("ingest", path)
            if result["documents"] == 0:
                break
            box.run("documents", "remove", path)
    finally:
        stop.set()
        thread.join()
    assert result["documents"] == 0 and "changed while it was read" in skipped(result)["log.txt"], result
    assert sources(box) == []


@case
def links_pipes_and_loops_are_skipped(box):
    box.write("d/a.txt", TEXT)
    os.symlink(box.at("d"), box.at("d/loop"))
    os.symlink(box.at("nowhere"), box.at("d/broken"))
    os.symlink(box.at("d/a.txt"), box.at("d/again.txt"))
    os.mkfifo(box.at("d/pipe"))
    result = box.json("ingest", "d")
    assert result["documents"] == 1 and set(skipped(result)) == {"loop", "broken", "again.txt", "pipe"}
    assert box.json("ingest", box.at("d/pipe"))["documents"] == 0
    box.run("documents", "remove", "d/a.txt")
    assert box.json("ingest", "d/again.txt")["documents"] == 1 and sources(box) == [box.at("d/a.txt")]


@case
def names_that_are_no_utf8_are_skipped(box):
    os.mkdir(box.at("d"))
    with open(os.fsencode(box.at("d")) + b"/\xff.txt", "w", encoding="ascii") as file:
        file.write(TEXT)
    box.write("d/ü ñ.txt", TEXT)
    result = box.json("ingest", "d")
    assert result["documents"] == 1 and "UTF-8" in result["skipped"][0]["reason"]


@case
def folders_too_deep_are_skipped(box):
    path = box.at("d")
    os.mkdir(path)
    folder = os.open(path, os.O_RDONLY)
    for _ in range(150):
        os.mkdir("x", dir_fd=folder)
        below = os.open("x", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    box.write("d/a.txt", TEXT)
    result = box.json("ingest", "d")
    assert result["documents"] == 1 and "folders deep" in result["skipped"][0]["reason"]


@case
def what_may_not_be_read_is_skipped_with_the_reason(box):
    box.write("d/open.txt", TEXT)
    box.write("d/closed/b.txt", TEXT)
    box.write("d/secret.txt", TEXT)
    os.chmod(box.at("d/closed"), 0)
    os.chmod(box.at("d/secret.txt"), 0)
    command = box.command(["--json", "ingest", box.at("d")])
    if os.geteuid() == 0:  # root reads everything: be somebody else, without changing who owns the program
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] + command
    done = subprocess.run(command, capture_output=True, env=box.env, cwd=box.path, check=False)
    assert done.returncode == 0, done.stderr
    import json
    result = json.loads(done.stdout)
    assert result["documents"] == 1, result
    reasons = skipped(result)
    assert "Permission denied" in reasons["closed"] and "Permission denied" in reasons["secret.txt"]


# ---- HTML ----

PAGE = b"""<!DOCTYPE html><html><head><title> The&nbsp;  Gate </title><style>p { color: red }</style></head><body>
<nav><a href="/">Home</a> navigation words</nav><div class="navheader">previous next</div>
<h1 id="gate">The gate</h1><p>First &lt;paragraph&gt; with <b>bold</b>
 and <a href="x">a link</a>.<script>alert("script words")</script></p>
<ul><li>one</li><li><p>two</p></li><li>three<ol><li>inner</li></ol></li></ul>
<h2><a name="code"></a>Code</h2><pre>if (a &amp;&amp; b)
  return `x`;</pre>
<table><tr><th>Name</th><th>Value</th></tr><tr><td>a|b</td><td>1<br>2</td></tr><tr><td>short</td></tr></table>
<dl><dt id="term">term</dt><dd>meaning</dd></dl>
<p># no heading</p><footer>footer words</footer></body></html>"""

MARKDOWN = r"""# The gate

First <paragraph> with bold and a link.

- one
- two
- three
  1. inner

## Code

```
if (a && b)
  return `x`;
```

| Name | Value |
| --- | --- |
| a\|b | 1 2 |
| short |  |

term
: meaning

\# no heading"""


@case
def html_becomes_markdown_without_navigation(box):
    path = box.write("gate.html", PAGE)
    box.run("ingest", path)
    assert box.run("documents", "show", path).out == MARKDOWN
    document = box.json("documents", "list")["documents"][0]
    assert document["title"] == "The Gate"
    results = box.json("search", "term meaning")["results"]
    assert results[0]["uri"].startswith(path + "#"), results[0]["uri"]


@case
def the_nearest_anchor_is_in_the_uri(box):
    sections = "".join(f'<h2 id="s{i}">Part {i}</h2><p>{"filler words here " * 120} needle{i}</p>' for i in range(5))
    path = box.write("parts.html", f"<title>Parts</title><body>{sections}</body>")
    box.run("ingest", path)
    for i in range(5):
        assert box.json("search", "--limit", "1", f"needle{i}")["results"][0]["uri"] == f"{path}#s{i}"


@case
def html_encodings_are_understood(box):
    for name, content in (
            ("utf8.html", "<p>süß</p>".encode()), ("latin.html", "<p>süß “quoted”</p>".encode("cp1252")),
            ("declared.html", '<meta charset="koi8-r"><p>привет</p>'.encode("koi8-r")),
            ("wrong.html", '<meta charset="iso-8859-1"><p>süß</p>'.encode()),
            ("utf16.html", "<p>süß</p>".encode("utf-16"))):
        box.write(name, content)
        box.run("ingest", name)
        text = box.run("documents", "show", name).out
        assert text in ("süß", "süß “quoted”", "привет"), (name, text)


@case
def broken_html_is_read_as_far_as_it_goes(box):
    pages = {
        "unclosed": b"<div><p>visible words<b>more<table><tr><td>cell<ul><li>item",
        "nul": b"<p>visible \0 words\0</p>",
        "entities": b"<p>visible &unknown; &#0; &#xD800; &#99999999; words &amp</p>",
        "no_html": b"visible words < and > & also",
        "comment": b"<p>visible words</p><!-- never closed <p>lost</p>",
        "only_navigation": b"<nav><p>visible words</p></nav>",
        "only_main": b"<header>noise</header><main><h1>T</h1><p>" + b"visible words " * 30 + b"</p></main><p>noise</p>",
        "attributes": b"<p " + b"a" * 100000 + b"='" + b"b" * 100000 + b"'>visible words</p>",
    }
    for name, page in pages.items():
        box.write(name + ".html", page)
        assert box.json("ingest", name + ".html")["documents"] == 1, name
        text = box.run("documents", "show", name + ".html").out
        assert "visible" in text and "words" in text and "noise" not in text, (name, text)


@case
def deep_and_large_html_is_bounded(box):
    pages = {
        "divs": b"<div>" * 200000 + b"visible words",
        "lists": b"<ul><li>" * 20000 + b"visible words",
        "tables": b"<table><tr><td>" * 3000 + b"visible words",
        "quotes": b"<blockquote><b><i>" * 20000 + b"visible words",
        "pre": b"<pre>" * 20000 + b"visible words",
        "long": b"<p>" + b"visible words " * 300000 + b"</p>",
        "rows": b"<table>" + b"<tr><td>visible</td><td>words</td></tr>" * 50000 + b"</table>",
    }
    for name, page in pages.items():
        path = box.write(name + ".html", page)
        box.run("ingest", "--set", "deadline_ms=100000", path)
        assert "visible" in box.run("documents", "show", path).out[-4000000:], name


# ---- .gitignore ----

def git(*args, cwd):
    environment = {**os.environ, "HOME": cwd, "XDG_CONFIG_HOME": cwd + "/.none", "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(["git", *args], cwd=cwd, env=environment, capture_output=True, check=True).stdout


def git_files(folder):
    """What git would add: all but what it ignores."""
    listed = git("-c", "core.quotepath=off", "ls-files", "-z", "--others", "--exclude-standard", cwd=folder)
    return sorted(os.path.join(folder, name) for name in listed.decode().split("\0") if name)


def ingested(box, folder):
    return sorted(name for name in sources(box) if name.startswith(folder + "/"))


@case
def skips_what_git_would_skip(box):
    if not shutil.which("git"):
        raise AssertionError("git is needed to compare with")
    folder = box.at("repo")
    os.mkdir(folder)
    git("init", "-q", cwd=folder)
    rules = {".gitignore": "*.log\n!keep.log\n/build/\ndoc/*.txt\n**/cache\na/**/z.txt\n\\#odd.txt\n\\!odd.txt\n"
                           "trail.txt  \nsp\\ \n[ab]?.md\n[!x]y.md\n[[:digit:]]*.num\nonly_folder/\nlogs/**\n"
                           "!logs/keep/\nabc/**\nfoo*bar\n# comment\n\n/\n",
             "sub/.gitignore": "!*.log\n/local.txt\n*.tmp\n", "sub/deep/.gitignore": "!x.tmp\n*\n!*.txt\n"}
    files = ["a.log", "keep.log", "build/x.txt", "sub/build/x.txt", "doc/a.txt", "doc/sub/a.txt", "x/cache/y.txt",
             "cache", "a/z.txt", "a/b/z.txt", "a/b/c/z.txt", "#odd.txt", "!odd.txt", "trail.txt", "sp ", "a1.md",
             "b2.md", "c3.md", "xy.md", "zy.md", "1a.num", "a1.num", "only_folder/x.txt", "sub/only_folder",
             "logs/a.txt", "logs/keep/b.txt",
             "abc/d/e.txt", "fooXbar", "foo/bar", "sub/a.log", "sub/local.txt", "sub/x/local.txt", "sub/a.tmp",
             "sub/deep/x.tmp", "sub/deep/y.txt", "sub/deep/more/z.md", "plain.txt", ".hidden/x.txt"]
    for name, text in rules.items():
        box.write("repo/" + name, text)
    for name in files:
        box.write("repo/" + name, TEXT + name)
    box.write("repo/.git/info/exclude", "excluded.txt\n")
    box.write("repo/excluded.txt", TEXT)
    box.run("ingest", folder)
    assert ingested(box, folder) == git_files(folder)
    box.empty_store()
    box.run("ingest", folder + "/sub")
    assert ingested(box, folder) == [f for f in git_files(folder) if f.startswith(folder + "/sub/")]
    box.empty_store()
    assert box.json("ingest", folder + "/build", folder + "/a.log")["documents"] == 2, "named ones are wanted"


@case
def random_rules_agree_with_git(box):
    if not shutil.which("git"):
        raise AssertionError("git is needed to compare with")
    seed = int(os.environ.get("AIORCH_TEST_SEED") or random.randrange(1 << 30))
    print(f"AIORCH_TEST_SEED={seed}")
    rng = random.Random(seed)
    names = ["a", "b", "ab", "a.txt", "b.md", "ab.txt", "x1", "[a]", "a b"]
    parts = ["a", "b", "ab", "*", "?", "**", "a*", "*b", "*.txt", "[ab]", "[!a]*", "a?", "x[0-9]", "\\a", "*a*b*",
             "[]a]", "[a-", "a b"]
    for number in range(12):
        folder = box.at(f"r{number}")
        os.mkdir(folder)
        git("init", "-q", cwd=folder)
        for _ in range(40):
            path = "/".join(rng.choice(names) for _ in range(rng.randint(1, 4)))
            try:
                box.write(f"r{number}/{path}", TEXT + path)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                continue
        folders = [name for name in os.listdir(folder) if os.path.isdir(f"{folder}/{name}") and name != ".git"]
        for base in [""] + sorted(folders):
            lines = []
            for _ in range(rng.randint(0, 5)):
                pattern = "/".join(rng.choice(parts) for _ in range(rng.randint(1, 3)))
                pattern = rng.choice(["", "", "/"]) + pattern + rng.choice(["", "", "/"])
                lines.append(rng.choice(["", "", "!"]) + pattern)
            box.write(f"r{number}/{base}/.gitignore", "\n".join(lines) + "\n")
        box.run("ingest", folder)
        ours, theirs = ingested(box, folder), git_files(folder)
        theirs = [f for f in theirs if os.path.getsize(f) > 1]  # an empty rule file is skipped as empty
        assert ours == theirs, (seed, number, sorted(set(ours) ^ set(theirs)))


@case
def rules_hold_without_a_repository_too(box):
    box.write("plain/.gitignore", "*.tmp\n")
    box.write("plain/a.tmp", TEXT)
    box.write("plain/b.txt", TEXT)
    box.write("plain/.git/config", TEXT)
    box.run("ingest", "plain")
    assert [os.path.basename(s) for s in sources(box)] == [".gitignore", "b.txt"]


main()
