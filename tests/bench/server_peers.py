#!/usr/bin/env python3
"""`aiorch serve` beside other servers that speak OpenAI's chat completions, in one run, asked by one load generator (server_peer.c).

  server_peers.py [--json FILE] [--realtime] [--only NAME,...] [--cache FOLDER] [--quick] BUILD

BUILD is a build folder with the benchmarks and the command line. The others come from PyPI, npm and crates.io by their names, in the versions
below, into --cache (default: $AIORCH_TEST_CACHE, else ~/.cache/aiorch-tests; crates.io: half an hour of building the first time, so only with
--only); what cannot be had is said. Each has one worker on processor 0 and its features off: no log, no database, no count of costs; the provider that answers at once, and the load, have
processor 1. --realtime (root): all of them before whatever else the machine does, with chrt. README.md tells how to read the table."""
import argparse
import contextlib
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

LITELLM, PORTKEY, LITER = "litellm[proxy]==1.106.12", "@portkey-ai/gateway@1.15.2", "liter-llm-cli@2.4.4"
PAGES = 200
MISSING = {"Bifrost": "npm @maximhq/bifrost fetches its program from elsewhere, and the Go module proxy refuses github.com/maximhq/bifrost",
           "TensorZero": "PyPI has its client and crates.io an empty place; its gateway is in neither"}
COLUMNS = (("calls_per_s", "calls/s, 64 in flight"), ("cpu_us", "processor a call, us"), ("added_us", "added, 1 in flight, p50, us"), ("whole_512", "of 512 streams whole"),
           ("gap_512", "gap p99 added, ms"), ("whole_1000", "of 1,000"), ("gap_1000", "gap p99 added, ms"), ("idle_mib", "idle, MiB"), ("after_mib", "after 2,000 streams, MiB"))


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as s:
        return s.getsockname()[1]


class Run:
    """The provider, and servers one after the other."""

    def __init__(self, options, folder):
        self.build, self.cache, self.folder = pathlib.Path(options.build).resolve(), pathlib.Path(options.cache), pathlib.Path(folder)
        self.before = ["chrt", "-r", "1"] if options.realtime else []
        self.quick = options.quick
        self.provider = subprocess.Popen([*self.before, self.build / "tests/bench/support/instant_server", "--cpu", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.provider.stdout.readline())
        self.env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR")} | {"HOME": str(self.folder)}

    def base(self, how):
        return f"http://127.0.0.1:{self.port}/openai/{how}"

    @contextlib.contextmanager
    def server(self, command, port, env=None):
        with open(self.folder / "said.txt", "wb") as said:
            p = subprocess.Popen([*self.before, "taskset", "-c", "0", *map(str, command)], env=self.env | (env or {}), cwd=self.folder, stdout=said, stderr=said)
        try:
            deadline = time.monotonic() + 240
            while True:
                with contextlib.suppress(OSError), contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=5)):
                    break
                if p.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("it does not start: " + (self.folder / "said.txt").read_text(errors="replace")[-400:])
                time.sleep(0.1)
            yield p.pid
        finally:
            p.terminate()
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def measure(self, port, pid, model, path="/v1/chat/completions", headers=(), held=0, **counts):
        command = [self.build / "tests/bench/server_peer", "--port", port, "--pid", pid, "--path", path, "--model", model, "--held", held]
        for h in headers:
            command += ["--header", h]
        for name, n in counts.items():
            command += ["--" + name, n]
        done = subprocess.run([*self.before, *map(str, command)], capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip()[:300] or f"exit code {done.returncode}")
        return json.loads(done.stdout)

    def figures(self, port, pid, ways, load):
        """`ways`: how to ask for whole answers and for streams; `load`: calls, requests."""
        out, (calls, requests) = {}, load
        if self.quick:
            calls, requests = max(calls // 10, 20), max(requests // 10, 64)
        self.measure(port, pid, **ways["whole"], calls=20, requests=max(requests // 20, 64))  # warm
        out.update(self.measure(port, pid, **ways["whole"], calls=calls, requests=requests))
        for n in (512, 1000, 488):  # the last for the sum of 2,000
            try:
                got = self.measure(port, pid, **ways["paced"], streams=n)
            except RuntimeError as e:
                out[f"failed_{n}"] = str(e)
                continue
            out.update({f"whole_{n}": got["streams_whole"], f"gap_{n}": got["gap_p99_ms"], f"with_{n}_mib": got["with_mib"], "after_mib": got["after_mib"]})
        return out

    def end(self):
        self.provider.stdin.close()
        self.provider.wait()


def resident(pid):
    """Of a process and its children, in MiB."""
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return pages * os.sysconf("SC_PAGE_SIZE") / 2 ** 20 + sum(resident(c) for c in children)


def word(n):
    """As support/pages.c makes them."""
    parts = "ba de fi go ku la me ni po ru sa te vi".split()
    n = n * 2654435761 % 13 ** 3
    return parts[n % 13] + parts[n // 13 % 13] + parts[n // 169 % 13] + "n"


def measured(run, command, port, ways, load, env=None, ready=None):
    with run.server(command, port, env) as pid:
        if ready:
            ready(port)
        idle = resident(pid)
        return {"idle_mib": idle, **run.figures(port, pid, ways, load)}


# ---- ours, and those beside us ----

def direct(run):
    return run.measure(run.port, run.provider.pid, "m", path="/openai/whole/chat/completions", calls=200 if run.quick else 1000, requests=2000)


def aiorch(run):
    out = {}
    program = run.build / "examples/cli/aiorch"
    for how in ("whole", "paced"):
        config = run.folder / f"{how}.json"
        config.write_text(json.dumps({
            "store": "memory", "embedder": "none", "rate_limit.requests": 10 ** 9, "http.connections_max": 20000, "http.connections_per_host": 20000,
            "providers.instant.api": "openai", "providers.instant.model": "m", "providers.instant.base_url": run.base(how), "providers.instant.key": "sk-bench",
            "providers.instant.stream": how == "paced", "server": {"keys": str(run.folder / "keys.db"), "connections_per_address": 0, "calls_max": 20000}}))
        made = subprocess.run([program, "keys", "create", "--tenant", "bench", "--user", "u", "--config", config, "--json"], env=run.env, capture_output=True, check=True)
        key, port = json.loads(made.stdout)["key"], free_port()

        def pages(to, key=key):
            for i in range(PAGES):
                text = " ".join(word(i * 10 + w * w) + ("." if w % 9 == 8 else "") for w in range(90))
                body = json.dumps({"uri": f"page-{i}.txt", "title": f"page {i}", "text": text}).encode()
                request = urllib.request.Request(f"http://127.0.0.1:{to}/v1/documents", body, {"Authorization": "Bearer " + key, "Content-Type": "application/json"})
                urllib.request.urlopen(request).read()
        way = {"model": "aiorch", "headers": ["Authorization: Bearer " + key], "held": 512 if how == "paced" else 0}
        with run.server([program, "serve", "--config", config, "--listen", f"127.0.0.1:{port}"], port) as pid:
            idle = resident(pid)
            pages(port)
            if how == "whole":
                run.measure(port, pid, **way, calls=100, requests=2000)
                out.update({"idle_mib": idle, **run.measure(port, pid, **way, calls=200 if run.quick else 1000, requests=2000 if run.quick else 20000)})
                continue
            for n in (512, 1000, 488):
                got = run.measure(port, pid, **way, streams=n)
                out.update({f"whole_{n}": got["streams_whole"], f"gap_{n}": got["gap_p99_ms"], f"with_{n}_mib": got["with_mib"], "after_mib": got["after_mib"]})
    return out


def nginx(run, keepalive):
    if not shutil.which("nginx"):
        raise RuntimeError("not installed")
    port, config = free_port(), run.folder / "nginx.conf"
    kept = 'proxy_set_header Connection ""; keepalive_requests 100000000;' if keepalive else ""
    config.write_text(f"""daemon off; worker_processes 1; pid nginx.pid; error_log /dev/null; events {{ worker_connections 10000; }}
http {{ access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s; keepalive_requests 100000000;
 upstream one {{ server 127.0.0.1:{run.port}; {'keepalive 4096; keepalive_requests 100000000;' if keepalive else ''} }}
 server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://one; proxy_http_version 1.1; {kept} proxy_buffering off; }} }} }}""")
    ways = {how: {"model": "m", "path": f"/openai/{how}/chat/completions"} for how in ("whole", "paced")}
    return measured(run, ["nginx", "-p", f"{run.folder}/", "-c", config], port, ways, (1000, 20000))


def portkey(run):
    place, port = run.cache / "peer-portkey", free_port()
    if not (place / "node_modules/@portkey-ai/gateway").exists():
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--prefix", place, "--no-audit", "--no-fund", PORTKEY], check=True, capture_output=True)
    ways = {how: {"model": "m", "headers": ["Authorization: Bearer sk-bench", "x-portkey-provider: openai", "x-portkey-custom-host: " + run.base(how)]} for how in ("whole", "paced")}
    command = ["node", place / "node_modules/@portkey-ai/gateway/build/start-server.js", f"--port={port}", "--headless"]
    return measured(run, command, port, ways, (500, 3000), {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"})


def litellm(run):
    place, port = run.cache / "peer-litellm", free_port()
    if not (place / "bin/litellm").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([place / "bin/pip", "install", "-q", LITELLM], check=True, capture_output=True)
    models = [{"model_name": how, "litellm_params": {"model": "openai/m", "api_base": run.base(how), "api_key": "sk-bench"}} for how in ("whole", "paced")]
    config = run.folder / "litellm.yaml"  # JSON is YAML
    config.write_text(json.dumps({"model_list": models, "litellm_settings": {"telemetry": False, "callbacks": [], "num_retries": 0},
                                  "general_settings": {"disable_spend_logs": True, "disable_error_logs": True}}))
    key = "sk-" + secrets.token_hex(32)  # it wants a strong one
    ways = {how: {"model": how, "headers": ["Authorization: Bearer " + key]} for how in ("whole", "paced")}
    command = [place / "bin/litellm", "--config", config, "--host", "127.0.0.1", "--port", port, "--num_workers", 1]
    return measured(run, command, port, ways, (100, 400), {"LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"})


def liter_llm(run):
    place, port = run.cache / "peer-liter-llm", free_port()
    if not (place / "bin/liter-llm").exists():
        subprocess.run(["cargo", "install", "--locked", "--root", place, LITER], check=True, capture_output=True)
    config = run.folder / "liter.toml"
    config.write_text(f'[general]\nmaster_key = "sk-bench"\n[security]\noutbound_policy = "off"\n[server]\nhost = "127.0.0.1"\nport = {port}\n' + "".join(
        f'[[models]]\nname = "{how}"\nprovider_model = "openai/m"\napi_key = "sk-bench"\nbase_url = "{run.base(how)}"\n' for how in ("whole", "paced")))
    ways = {how: {"model": how, "headers": ["Authorization: Bearer sk-bench"]} for how in ("whole", "paced")}
    command = [place / "bin/liter-llm", "--tokio-worker-threads", 1, "api", "--config", config, "--host", "127.0.0.1", "--port", port]
    return measured(run, command, port, ways, (500, 10000), {"RUST_LOG": "error"})


PEERS = {"aiorch serve": aiorch, "nginx, connections kept": lambda run: nginx(run, True), "nginx, a connection a call": lambda run: nginx(run, False),
         "liter-llm": liter_llm, "Portkey": portkey, "LiteLLM": litellm}


def table(results):
    print(f"{'':28}" + "".join(f"{title:>31}" for _, title in COLUMNS))
    for name, figures in results.items():
        if "calls_per_s" in figures and "added_us" in figures:
            print(f"{name:28}" + "".join(f"{figures[key]:31,.1f}" if key in figures else f"{'-':>31}" for key, _ in COLUMNS))
        for what, why in figures.items():
            if what.startswith("failed"):
                print(f"{name:28}{what}: {why}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--json")
    parser.add_argument("--realtime", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(n for n in PEERS if n != "liter-llm").replace("nginx, ", "nginx; "))
    parser.add_argument("--cache", default=os.environ.get("AIORCH_TEST_CACHE") or os.path.expanduser("~/.cache/aiorch-tests"))
    options = parser.parse_args()
    wanted = [n.replace("nginx; ", "nginx, ") for n in options.only.split(",")]
    results = {}
    with tempfile.TemporaryDirectory(prefix="aiorch-peers-") as folder:
        os.chmod(folder, 0o755)
        run = Run(options, folder)
        try:
            alone = direct(run)
            results["the provider alone"] = alone
            for name in wanted:
                try:
                    figures = PEERS[name](run)
                    figures["added_us"] = figures["p50_us"] - alone["p50_us"]
                except (RuntimeError, OSError, KeyError, subprocess.SubprocessError) as e:
                    figures = {"failed": f"{type(e).__name__} {e}"[:600]}
                results[name] = figures
                print(f"{name}: {figures}", file=sys.stderr)
        finally:
            run.end()
    results.update({name: {"failed": why} for name, why in MISSING.items()})
    table(results)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
