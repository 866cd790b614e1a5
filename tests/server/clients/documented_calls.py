"""The commands and programs that README.md and docs/server*.md show, as they stand there: the server is started by the documented line, asked by
the documented lines. Only the port is another where 8484 is taken, and what stands for something else ("ID", "...") is put in."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from _serve import CLI, ROOT, WAIT_S, Server, case, main, until  # noqa: E402


def block(document, heading, language, number=0):
    """The code of a language after a heading."""
    with open(os.path.join(ROOT, document), encoding="utf-8") as f:
        text = f.read()
    part = re.split(r"(?m)^#+ " + re.escape(heading) + r"$", text)[1]
    return re.findall(r"(?ms)^```" + language + r"\n(.*?)^```", part)[number]


def put(text, *pairs):
    for what, by in pairs:
        assert what in text, f"{what!r} is not in {text!r}"
        text = text.replace(what, by)
    return text


class Shell:
    """A home of its own, `aiorch` in the path, and a server that a documented line has started."""

    def __init__(self, folder, settings=None):
        self.folder, self.server = folder, None
        self.port = 8484
        with contextlib.closing(socket.socket()) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", self.port))
            except OSError:
                s.bind(("127.0.0.1", 0))
                self.port = s.getsockname()[1]
        config = os.path.join(folder, "config.json")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"embedder": "none", "rate_limit.requests": 0, **(settings or {}), **({"server": {"listen": f"127.0.0.1:{self.port}"}} if self.port != 8484 else {})}, f)
        self.env = {"HOME": folder, "PATH": f"{os.path.dirname(CLI)}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}", "AIORCH_CONFIG": config}

    def text(self, code):
        return code.replace("8484", str(self.port))

    def run(self, code, program=("sh", "-e", "-c"), **env):
        done = subprocess.run([*program, self.text(code)], env={**self.env, **env}, cwd=self.folder, capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == 0, (code, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def serve(self, code):
        """Starts what the last line of the code says, after the others."""
        err = open(os.path.join(self.folder, "said"), "w+", encoding="utf-8")  # pylint: disable=consider-using-with
        self.server = subprocess.Popen(["sh", "-e", "-c", self.text(code)], env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL, stderr=err,
                                       start_new_session=True)

        def said():
            with open(err.name, encoding="utf-8") as f:
                text = f.read()
            assert self.server.poll() is None, text
            return f"serving http://127.0.0.1:{self.port}" in text
        until(said, "the server")
        err.close()
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server:
            os.killpg(self.server.pid, signal.SIGTERM)
            self.server.wait(WAIT_S)

    def document(self, folder, name, text):
        os.makedirs(os.path.join(self.folder, folder), exist_ok=True)
        with open(os.path.join(self.folder, folder, name), "w", encoding="utf-8") as f:
            f.write(text)


@case
def test_readme(folder):
    with Shell(folder) as shell:
        shell.document("notes", "backup.md", "# Backups\n\nTo make a backup, stop all processes and copy the folder of the store.\n")
        shell.run("aiorch ingest notes")
        shell.serve(block("README.md", "Serve it", "sh"))
        assert "copy the folder of the store" in shell.run(block("README.md", "Serve it", "python"), (sys.executable, "-c"))


@case
def test_server_md(folder):
    with Shell(folder) as shell:
        shell.document("manuals", "port.md", "# Ports\n\nTo change the port, give the option --listen with another one.\n")
        start = block("docs/server.md", "Run it", "sh")
        start = "\n".join(line for line in start.splitlines() if not line.startswith("export ANTHROPIC_API_KEY"))
        assert "aiorch ingest ~/manuals" in start
        shell.serve(start)
        ask, stream = block("docs/server.md", "Run it", "sh", 1).strip().splitlines()
        whole = json.loads(shell.run(ask))
        assert "--listen" in whole["response"] and whole["provider"] == "extractive" and isinstance(whole["latency"], int), whole
        streamed = shell.run(stream)
        assert 'data: {"delta":' in streamed and "event: done" in streamed, streamed


@case
def test_server_auth_md__keys(folder):
    with Shell(folder) as shell:
        create, listed, revoke = block("docs/server-auth.md", "Keys", "sh").strip().splitlines()
        key = shell.run(create).strip()
        assert re.fullmatch(r"aik_[A-Za-z0-9]{38}", key), key
        row = shell.run(listed)
        key_id = re.search(r"key_[A-Za-z0-9]{12}", row).group(0)
        assert "acme" in row and "the web front end" in row and key[-4:] in row and key not in row, row
        shell.serve("aiorch serve")
        curl = "curl -s -o /dev/null -w '%{http_code}' -H \"Authorization: Bearer $KEY\" localhost:8484/v1/models"
        assert shell.run(curl, KEY=key) == "200"
        shell.run(put(revoke, ("key_0123456789ab", key_id)))
        until(lambda: shell.run(curl, KEY=key) == "401", "the end of the key")


@case
def test_server_auth_md__documents(folder):
    with Shell(folder) as shell:
        key = shell.run("aiorch keys create --tenant acme --user web").strip()
        shell.serve("aiorch serve")
        add, listed, one, remove, search = block("docs/server-auth.md", "Documents and search", "sh").strip().splitlines()
        made = json.loads(shell.run(add, KEY=key))
        page = json.loads(shell.run(put(listed, ("&after=n", "")), KEY=key))
        assert [d["uri"] for d in page["data"]] == ["ports.md"], page
        document_id = made.get("id") or page["data"][0]["id"]
        assert "ports.md" in shell.run(put(one, ("/ID", "/" + document_id)), KEY=key)
        assert "ports.md" in shell.run(search, KEY=key)
        shell.run(remove, KEY=key)
        assert json.loads(shell.run(put(listed, ("&after=n", "")), KEY=key))["data"] == []


@case
def test_server_api_md(folder):
    with Shell(folder) as shell:
        shell.document("notes", "backup.md", "# Backups\n\nTo make a backup, stop all processes and copy the folder of the store.\n")
        shell.run("aiorch ingest --tenant acme notes")
        key = shell.run("aiorch keys create --tenant acme --user web").strip()
        shell.serve("aiorch serve")
        with open(os.path.join(ROOT, "docs", "server-api.md"), encoding="utf-8") as f:
            code = re.findall(r"(?ms)^```python\n(.*?)^```", f.read())
        assert "copy the folder of the store" in shell.run(put(code[0], ("aik_...", key)), (sys.executable, "-c"))


@case
def test_settings_that_are_shown(folder):
    """What docs/server.md shows of a configuration, and of the log."""
    trusted = json.loads(block("docs/server.md", "Behind nginx or Caddy", "json"))["server"]
    shown = json.loads(block("docs/server.md", "The access log", "json"))
    with Server(folder, {**trusted, "access_log": True}) as s:
        s.ask("Hello?")
        entry = json.loads(until(lambda: next((x for x in s.lines if x.startswith("{")), None), "the log"))
    assert list(shown) == list(entry), (list(shown), list(entry))


main()
