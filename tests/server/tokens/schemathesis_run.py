"""Requests that schemathesis makes up from the server's OpenAPI document: what is answered must be in it, and nothing may break."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import openapi_spec_validator  # noqa: E402
from _serve import CLI, Server, case, main  # noqa: E402

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,ignored_auth"


@case
def test_the_document_is_openapi(folder):
    with Server(folder) as s:
        openapi_spec_validator.validate(s.request("GET", "/openapi.json").json)


@case
def test_schemathesis(folder):
    with Server(folder, {"metrics_open": True}, anonymous=False, store="store", config={"rate_limit.requests": 0}) as s:
        key = subprocess.run([CLI, "keys", "create", "--tenant", "t", "--user", "u", "--config", s.config_path], env=s.env, capture_output=True, check=True)
        tool = os.path.join(os.path.dirname(sys.executable), "schemathesis")
        done = subprocess.run([tool, "run", f"http://127.0.0.1:{s.port}/openapi.json", "--header", f"Authorization: Bearer {key.stdout.decode().strip()}",
                               "--checks", CHECKS, "--max-examples", "25", "--seed", "8", "--phases", "examples,coverage,fuzzing", "--no-color",
                               "--generation-database", "none", "--request-timeout", "30"], cwd=folder, capture_output=True, timeout=240, check=False,
                              env={**os.environ, "SCHEMATHESIS_HOOKS": ""})
        said = done.stdout.decode()
        print("\n".join("  " + line for line in said.splitlines()[-12:]))
        assert done.returncode == 0, said[-6000:] + done.stderr.decode()[-2000:]
        assert s.request("GET", "/healthz").status == 200


main()
