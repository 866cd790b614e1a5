"""The tests of the command line once more, with PostgreSQL as the store: each case has a database of its own in a temporary cluster."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("AIORCH_ROOT") or os.path.dirname(os.path.dirname(HERE))
# Those whose commands use a store.
TESTS = ("test_commands.py", "test_ask_provider.py", "test_chat.py", "test_ingest.py", "test_meaning.py", "test_options.py", "test_prune.py")


def in_cluster():
    environment = {**os.environ, "AIORCH_CLI_OVER_POSTGRES": "1"}
    failed = []
    for name in TESTS:
        print("-- " + name, flush=True)
        done = subprocess.run([sys.executable, os.path.join(HERE, name)] + sys.argv[1:], env=environment, check=False)
        if done.returncode not in (0, 77):
            failed.append(name)
    print("failed: " + ", ".join(failed) if failed else "all passed")
    return 1 if failed else 0


def main():
    if os.environ.get("AIORCH_TEST_POSTGRES"):
        return in_cluster()
    cluster = os.path.join(ROOT, "tests", "postgres", "cluster.py")
    return subprocess.run([sys.executable, cluster, "--", sys.executable, os.path.abspath(__file__)] + sys.argv[1:], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
