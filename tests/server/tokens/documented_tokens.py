"""docs/server-auth.md, as it stands there: its settings for Supabase and Auth0, with tokens and key sets shaped as those services make them,
the key sets fetched over TLS from the path that the documentation names. Only the host and its certificate are this test's."""

import base64
import http.server
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import jwt  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: E402
from jwt.algorithms import ECAlgorithm, RSAAlgorithm  # noqa: E402

from _serve import ROOT, Server, case, main, until  # noqa: E402
from _https import make_certificate  # noqa: E402

with open(os.path.join(ROOT, "docs", "server-auth.md"), encoding="utf-8") as document:
    DOCUMENT = document.read()


def documented(heading):
    """The settings under a heading, and the text after them."""
    part = DOCUMENT.split(f"### {heading}\n", 1)[1].split("\n### ", 1)[0]
    block, after = part.split("```json\n", 1)[1].split("```", 1)
    return json.loads(block)["server"], after


class Issuer:
    """Serves a key set where the documentation says that it is; it can go down and come back, and be given other keys."""

    def __init__(self, folder, documented_url):
        self.path = re.sub(r"https://[^/]+", "", documented_url)
        self.certificate, self.key = make_certificate(folder)
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        self.url = f"https://localhost:{self.port}{self.path}"
        self.keys, self.asked, self.server = [], 0, None

    def up(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                found = self.path == issuer.path
                issuer.asked += found
                body = json.dumps({"keys": issuer.keys}).encode() if found else b"no such page"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self):
        self.server.shutdown()
        self.server.server_close()

    def settings(self, given):
        """Those of the document, with this host in the place of the service's."""
        return {"jwt": {**given["jwt"], "jwks": self.url, "jwks_ca": self.certificate}}


class SupabaseKey:
    """A signing key of a project; its public part as /auth/v1/.well-known/jwks.json has it."""

    def __init__(self):
        self.key, self.kid = ec.generate_private_key(ec.SECP256R1()), str(uuid.uuid4())

    @property
    def public(self):
        made = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        return {"alg": "ES256", "crv": "P-256", "ext": True, "key_ops": ["verify"], "kid": self.kid, "kty": "EC", "use": "sig", "x": made["x"], "y": made["y"]}

    def token(self, tenant="acme", **more):
        return jwt.encode(supabase_claims(tenant, **more), self.key, "ES256", headers={"kid": self.kid})


def supabase_claims(tenant="acme", **more):
    now = int(time.time())
    return {"iss": "https://PROJECT.supabase.co/auth/v1", "aud": "authenticated", "sub": "8f14e45f-ceea-467f-a0f1-5a2d5b7a9c11", "exp": now + 3600, "iat": now,
            "email": "alice@example.com", "phone": "", "app_metadata": {"provider": "email", "providers": ["email"], "tenant_id": tenant},
            "user_metadata": {"email_verified": True, "tenant_id": "another"}, "role": "authenticated", "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}], "session_id": str(uuid.uuid4()), "is_anonymous": False, **more}


class Auth0Key:
    def __init__(self, kid):
        self.key, self.kid = rsa.generate_private_key(65537, 2048), kid

    @property
    def public(self):
        made = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"kty": "RSA", "use": "sig", "n": made["n"], "e": made["e"], "kid": self.kid, "x5t": self.kid, "alg": "RS256",
                "x5c": [base64.b64encode(b"a certificate, which nobody looks at").decode()]}

    def token(self, **more):
        now = int(time.time())
        claims = {"https://app.example.org/tenant_id": "acme", "iss": "https://TENANT.eu.auth0.com/", "sub": "auth0|65f0c2a1",
                  "aud": ["https://api.example.org", "https://TENANT.eu.auth0.com/userinfo"], "iat": now, "exp": now + 86400, "scope": "openid profile",
                  "azp": "kP3nQ", **more}
        return jwt.encode({k: v for k, v in claims.items() if v is not None}, self.key, "RS256", headers={"kid": self.kid})


def get(server, token, path="/v1/documents"):
    return server.request("GET", path, headers={"Authorization": "Bearer " + token})


def add(server, token, uri):
    answer = server.request("POST", "/v1/documents", {"uri": uri, "text": f"What {uri} says."}, {"Authorization": "Bearer " + token})
    assert answer.status == 201, answer.text


def uris(server, token):
    answer = get(server, token)
    assert answer.status == 200, answer.text
    return [d["uri"] for d in answer.json["data"]]


def refused(server, token, code="invalid_token"):
    answer = get(server, token)
    assert answer.status == 401 and answer.json["error"]["code"] == code, (answer.status, answer.text)
    assert answer.headers["www-authenticate"].startswith("Bearer")


@case
def test_supabase(folder):
    given, _ = documented("Supabase")
    issuer, first, second = Issuer(folder, given["jwt"]["jwks"]), SupabaseKey(), SupabaseKey()
    issuer.keys = [first.public]
    with Server(folder, issuer.settings(given), anonymous=False, store="store") as s:  # the issuer is away when the server starts
        assert "the key set cannot be had yet" in s.err, s.err
        answer = get(s, first.token())
        assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1 and answer.json["error"]["code"] == "keys_unavailable", answer.text
        issuer.up()
        until(lambda: get(s, first.token()).status == 200, "the key set, by itself")

        add(s, first.token(), "of-acme")
        assert uris(s, first.token()) == ["of-acme"] and uris(s, first.token("globex")) == []  # app_metadata says who; user_metadata is nobody's word
        refused(s, first.token(role="anon"))
        refused(s, first.token(role="service_role"))
        refused(s, first.token(aud="another"))
        refused(s, first.token(iss="https://OTHER.supabase.co/auth/v1"))
        refused(s, first.token(app_metadata={"provider": "email"}))
        refused(s, first.token(exp=int(time.time()) - 60), "token_expired")

        issuer.keys = [first.public, second.public]  # a standby key, then in use
        until(lambda: get(s, second.token()).status == 200, "the new key")
        assert get(s, first.token()).status == 200
        issuer.down()  # later on, the last set serves
        assert get(s, first.token()).status == 200 and get(s, second.token()).status == 200
        answer = get(s, SupabaseKey().token())
        assert answer.status in (401, 503) and (answer.status == 401 or "retry-after" in answer.headers), answer.text


@case
def test_supabase__a_shared_secret(folder):
    given, after = documented("Supabase")
    assert '`"algorithms": "HS256"`' in after and '`"secret": "${SUPABASE_JWT_SECRET}"`' in after
    secret = base64.b64encode(os.urandom(64)).decode()
    settings = {k: v for k, v in given["jwt"].items() if k != "jwks"}
    settings.update({"algorithms": "HS256", "secret": "${SUPABASE_JWT_SECRET}"})

    def token(headers=None, **more):
        return jwt.encode(supabase_claims(**more), secret, "HS256", headers=headers)

    with Server(folder, {"jwt": settings}, anonymous=False, store="store", env={"SUPABASE_JWT_SECRET": secret}) as s:
        assert get(s, token()).status == 200 and get(s, token({"kid": "m7Xv2p"})).status == 200
        # The keys `anon` and `service_role` of a project: tokens with another issuer, and no user.
        for role in ("anon", "service_role"):
            refused(s, jwt.encode({"iss": "supabase", "ref": "PROJECT", "role": role, "iat": 1700000000, "exp": 2000000000}, secret, "HS256"))
            refused(s, token(role=role))
        refused(s, SupabaseKey().token())
        assert secret not in s.err


@case
def test_supabase__each_user_a_tenant(folder):
    given, after = documented("Supabase")
    assert '`"tenant_claim": "sub"`' in after
    issuer, key = Issuer(folder, given["jwt"]["jwks"]), SupabaseKey()
    issuer.keys = [key.public]
    issuer.up()
    settings = issuer.settings(given)
    settings["jwt"]["tenant_claim"] = "sub"
    with Server(folder, settings, anonymous=False, store="store") as s:
        alice, bob = key.token(), key.token(sub="c4ca4238-a0b9-4382-8dcc-509a6f75849b")
        add(s, alice, "of-alice")
        assert uris(s, alice) == ["of-alice"] and uris(s, bob) == []
    issuer.down()


@case
def test_auth0(folder):
    given, after = documented("Auth0")
    assert '`"tenant_claim": "org_id"`' in after
    issuer, first, second = Issuer(folder, given["jwt"]["jwks"]), Auth0Key("NjVBRjY5MDlC"), Auth0Key("QzM0RkE1MTY3")
    issuer.keys = [first.public, second.public]  # Auth0 shows the next key beside the one in use
    issuer.up()
    with Server(folder, issuer.settings(given), anonymous=False, store="store") as s:
        add(s, first.token(), "of-acme")
        assert uris(s, second.token()) == ["of-acme"]  # rotated: nothing has to be fetched
        assert uris(s, first.token(**{"https://app.example.org/tenant_id": "globex"})) == [] and issuer.asked == 1
        refused(s, first.token(**{"https://app.example.org/tenant_id": None}))
        refused(s, first.token(aud="kP3nQ"))  # the id token
        refused(s, first.token(iss="https://TENANT.eu.auth0.com"))  # mind the slash
    settings = issuer.settings(given)
    settings["jwt"]["tenant_claim"] = "org_id"
    with Server(folder, settings, anonymous=False, store="store") as s:
        assert uris(s, first.token(org_id="org_9")) == []
        refused(s, first.token())
    issuer.down()


main()
