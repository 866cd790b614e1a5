"""Follows docs/postgres.md line by line, on an empty server: python3 tests/postgres/cluster.py --empty -- python3 tests/postgres/test_docs.py"""
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def blocks(path):
    with open(path, encoding="utf-8") as file:
        return re.findall(r"<!-- test: no \(tests/postgres/test_docs.py[^\n]*\n```sh\n(.*?)```", file.read(), re.S)


def main():
    cli = os.environ.get("AIORCH_CLI")
    if not cli:
        print("SKIP: no command line was built")
        return 77
    server = urllib.parse.urlsplit(os.environ["AIORCH_TEST_POSTGRES_ADMIN"]).netloc.split("@")[1]
    home = tempfile.mkdtemp(prefix="docs.")
    with open(os.path.join(home, "handbook.md"), "w", encoding="utf-8") as file:
        file.write("# Parcels\n\nParcels take three days. Large ones take five.\n")
    env = {**os.environ, "SERVER": server, "HOME": home, "PATH": os.path.dirname(cli) + ":" + os.environ["PATH"]}
    first, second = blocks(os.path.join(ROOT, "docs", "postgres.md"))
    # Each line by itself, so that it is known what each says; what they export is carried on.
    said = {}
    exports = ""
    for line in first.splitlines():
        if line.startswith("export "):
            exports += line + "\n"
        done = subprocess.run(["sh", "-e", "-c", exports + line], cwd=home, env=env, capture_output=True, text=True, timeout=100)
        said[line] = done.stdout
        print("%s\n%s%s" % (line, done.stdout, done.stderr))
        if done.returncode not in ((0, 1, 3, 4) if "rival" in line else (0,)):
            print("failed: exit %d" % done.returncode)
            return 1
    lines = first.splitlines()
    assert len(lines) == 10, "docs/postgres.md promises ten lines"
    assert "three days" in said[lines[8]], "acme does not find its own"
    assert "three days" not in said[lines[9]], "rival finds what is acme's"
    report = subprocess.run(["sh", "-e", "-c", exports + second], cwd=home, env=env, capture_output=True, text=True, timeout=100)
    print(report.stdout + report.stderr)
    assert report.returncode == 0 and "handbook.md" in report.stdout
    return 0


if __name__ == "__main__":
    sys.exit(main())
