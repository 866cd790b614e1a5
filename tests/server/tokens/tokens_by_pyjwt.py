"""JSON web tokens that another library makes: good ones, and what attackers send."""

import base64
import hashlib
import hmac
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import http.server

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import jwt  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: E402
from jwt.algorithms import ECAlgorithm, RSAAlgorithm  # noqa: E402

from _serve import Server, case, main, until  # noqa: E402

ISSUER, AUDIENCE, SECRET = "https://project.supabase.example/auth/v1", "authenticated", "a-secret-of-the-project-0123456789abcdef"
RSA, RSA_OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
EC, EC_OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def jwk(key, kid, alg):
    made = json.loads((RSAAlgorithm if alg == "RS256" else ECAlgorithm).to_jwk(key.public_key()))
    return {**made, "kid": kid, "alg": alg, "use": "sig"}


def key_set(*keys):
    return {"keys": [jwk(*k) for k in keys]}


BOTH = key_set((RSA, "rsa-1", "RS256"), (EC, "ec-1", "ES256"))


def claims(**more):
    now = int(time.time())
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "5f9d-user", "iat": now, "exp": now + 600, "role": "authenticated",
            "app_metadata": {"tenant_id": "acme", "provider": "email"}, "user_metadata": {"tenant_id": "globex"}, **more}


def token(key=EC, alg="ES256", kid="ec-1", headers=None, **more):
    return jwt.encode({k: v for k, v in claims(**more).items() if v is not None}, key, alg, headers={**({"kid": kid} if kid else {}), **(headers or {})})


def settings(jwks, algorithms="RS256,ES256", **more):
    return {"jwt": {"algorithms": algorithms, "jwks": jwks, "issuer": ISSUER, "audience": AUDIENCE, "tenant_claim": "app_metadata.tenant_id",
                    "role_claim": "role", "roles": "authenticated", "leeway_s": 5, **more}}


def put(folder, name, value):
    path = os.path.join(folder, name)
    with open(path + ".part", "w", encoding="utf-8") as f:
        json.dump(value, f)
    os.rename(path + ".part", path)
    return path


def ask(server, text):
    return server.request("GET", "/v1/documents", headers={"Authorization": "Bearer " + text})


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def signed_by_hand(header, payload, secret):
    text = b64(header) + "." + b64(payload)
    return text + "." + b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())


def pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@case
def test_supabase_shaped(folder):
    with Server(folder, settings(put(folder, "jwks.json", BOTH)), anonymous=False, store="store") as s:
        for made in (token(), token(RSA, "RS256", "rsa-1"), token(aud=["x", AUDIENCE]), token(headers={"typ": "at+jwt"})):
            answer = ask(s, made)
            assert answer.status == 200, answer.text
            assert s.request("GET", "/v1/documents", headers={"x-api-key": made}).status == 200
        answer = s.request("POST", "/v1/documents", {"uri": "a", "text": "Of acme alone: CANARY."}, {"Authorization": "Bearer " + token()})
        assert answer.status == 201, answer.text
        other = token(app_metadata={"tenant_id": "globex"})
        assert ask(s, token()).json["data"] and not ask(s, other).json["data"]
        for headers in ({"x-tenant-id": "acme"}, {"x-tenant": "acme"}):
            assert not s.request("GET", "/v1/documents", headers={"Authorization": "Bearer " + other, **headers}).json["data"]


@case
def test_what_attackers_send(folder):
    now = int(time.time())
    with Server(folder, settings(put(folder, "jwks.json", BOTH)), anonymous=False, store="store") as s:
        good = token()
        head, body, signature = good.split(".")
        forged = json.loads(base64.urlsafe_b64decode(body + "=="))
        forged["app_metadata"]["tenant_id"] = "globex"
        anon = {**claims(), "role": "anon"}
        sent = {
            "another tenant under an old signature": f"{head}.{b64(forged)}.{signature}",
            "no signature": f"{head}.{body}.",
            "none": jwt.encode(claims(), None, "none"),
            "none with a signature": f"{b64({'alg': 'none', 'kid': 'ec-1'})}.{body}.{signature}",
            "None": f"{b64({'alg': 'NoNe'})}.{body}.AA",
            "HS256 with the public RSA key": signed_by_hand({"alg": "HS256", "kid": "rsa-1"}, claims(), pem(RSA)),
            "HS256 with the public EC key": signed_by_hand({"alg": "HS256", "kid": "ec-1"}, claims(), pem(EC)),
            "HS256 with the key set": signed_by_hand({"alg": "HS256", "kid": "rsa-1"}, claims(), json.dumps(BOTH).encode()),
            "HS256 with nothing": signed_by_hand({"alg": "HS256"}, claims(), b""),
            "another's EC key": token(EC_OTHER), "another's RSA key": token(RSA_OTHER, "RS256", "rsa-1"),
            "swapped kids": token(RSA, "RS256", "ec-1"), "swapped the other way": token(EC, "ES256", "rsa-1"),
            "a kid that is a path": token(kid="../../../../dev/null"), "a kid that is SQL": token(kid="' OR 1=1 --"), "no such kid": token(kid="ec-2"),
            "its own key": token(EC_OTHER, headers={"jwk": jwk(EC_OTHER, "ec-1", "ES256")}),
            "its own key set": token(EC_OTHER, headers={"jku": "http://127.0.0.1:1/jwks.json", "x5u": "http://127.0.0.1:1/"}),
            "PS256": token(RSA, "PS256", "rsa-1"), "RS512": token(RSA, "RS512", "rsa-1"),
            "expired": token(exp=now - 6), "no end": token(exp=None), "not yet": token(nbf=now + 60),
            "wrong issuer": token(iss="https://evil.example"), "issuer with a slash": token(iss=ISSUER + "/"), "no issuer": token(iss=None),
            "wrong audience": token(aud="other"), "no audience": token(aud=None), "audience in part": token(aud=AUDIENCE[:-1]),
            "role anon": token(**anon), "service role": token(role="service_role"), "no role": token(role=None),
            "no tenant": token(app_metadata={}), "no app_metadata": token(app_metadata=None), "tenant of a list": token(app_metadata={"tenant_id": ["acme"]}),
            "tenant with NUL": token(app_metadata={"tenant_id": "acme\0x"}), "empty tenant": token(app_metadata={"tenant_id": ""}),
            "long tenant": token(app_metadata={"tenant_id": "a" * 256}), "no user": token(sub=None), "crit": token(headers={"crit": ["x"], "x": 1}),
            "encrypted": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA", "four parts": good + ".AA", "two parts": f"{head}.{body}",
            "padded": f"{head}=.{body}.{signature}", "spaces": f"{head} .{body}.{signature}", "8 KB": token(pad="x" * 9000),
        }
        for what, text in sent.items():
            answer = ask(s, text)
            assert answer.status in (401, 431), (what, answer.status, answer.text)
            if answer.status == 401:
                told = answer.json["error"]
                assert told["type"] == "authentication_error" and "globex" not in answer.text, (what, answer.text)
                assert (told["code"] == "token_expired") == (what in ("expired", "no end")), (what, told)
        assert ask(s, "e30." * 30000).status in (401, 431)
        assert ask(s, good).status == 200
        print(f"  {len(sent)} tokens refused")


@case
def test_no_kid(folder):
    with Server(folder, settings(put(folder, "jwks.json", key_set((RSA, "rsa-1", "RS256"), (RSA_OTHER, "rsa-2", "RS256"), (EC, "ec-1", "ES256")))),
                anonymous=False, store="store") as s:
        assert ask(s, token(kid=None)).status == 200  # the only one of its algorithm
        assert ask(s, token(RSA, "RS256", None)).status == 401
        assert ask(s, token(RSA_OTHER, "RS256", None)).status == 401
        assert ask(s, token(RSA_OTHER, "RS256", "rsa-2")).status == 200


@case
def test_secret(folder):
    more = {"secret": "${JWT_SECRET}"}
    with Server(folder, settings("", "HS256", **more), anonymous=False, store="store", env={"JWT_SECRET": SECRET}) as s:
        assert ask(s, token(SECRET, "HS256", None)).status == 200
        assert ask(s, token(SECRET, "HS256", "any")).status == 200
        assert ask(s, token(SECRET + "x", "HS256", None)).status == 401
        assert ask(s, token(SECRET, "HS384", None)).status == 401
        assert ask(s, token(EC, "ES256", "ec-1")).status == 401
        assert SECRET not in s.err
    both = settings(put(folder, "jwks.json", BOTH), "HS256,RS256", **more)
    with Server(folder, both, anonymous=False, store="store", env={"JWT_SECRET": SECRET}) as s:
        assert ask(s, token(SECRET, "HS256", "rsa-1")).status == 200 and ask(s, token(RSA, "RS256", "rsa-1")).status == 200
        assert ask(s, signed_by_hand({"alg": "HS256", "kid": "rsa-1"}, claims(), pem(RSA))).status == 401


@case
def test_auth0_shaped(folder):
    claim = "https://app.example.org/tenant_id"
    shape = {"jwt": {"algorithms": "RS256", "jwks": put(folder, "jwks.json", BOTH), "issuer": "https://t.eu.auth0.example/", "audience": "https://api.example.org",
                     "tenant_claim": claim}}
    made = {"iss": "https://t.eu.auth0.example/", "aud": ["https://api.example.org", "https://t.eu.auth0.example/userinfo"], "sub": "auth0|1", "azp": "x",
            "exp": int(time.time()) + 60, claim: "acme"}
    with Server(folder, shape, anonymous=False, store="store") as s:
        assert ask(s, jwt.encode(made, RSA, "RS256", headers={"kid": "rsa-1"})).status == 200
        for wrong in ({**made, claim: None}, {**made, "https://other.example/tenant_id": "acme", claim: ""}, {**made, "aud": "client-id"}):
            assert ask(s, jwt.encode(wrong, RSA, "RS256", headers={"kid": "rsa-1"})).status == 401


@case
def test_a_token_ends_while_it_is_used(folder):
    with Server(folder, settings(put(folder, "jwks.json", BOTH), leeway_s=0), anonymous=False, store="store") as s:
        made = token(exp=int(time.time()) + 2)
        assert ask(s, made).status == 200 and ask(s, made).status == 200
        until(lambda: ask(s, made).status == 401, "its end")


class KeySets(http.server.BaseHTTPRequestHandler):
    """What an issuer serves; it counts how often it was asked."""
    served, asked, status = BOTH, 0, 200

    def do_GET(self):  # pylint: disable=invalid-name
        KeySets.asked += 1
        body = json.dumps(KeySets.served).encode()
        self.send_response(KeySets.status)
        if KeySets.status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def issuer(folder):
    """(server, URL, its certificate): https, as an issuer has it."""
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KeySets)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    served.socket = context.wrap_socket(served.socket, server_side=True)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    return served, f"https://localhost:{served.server_address[1]}/jwks.json", certificate


@case
def test_key_sets_over_https(folder):
    served, url, certificate = issuer(folder)
    KeySets.served, KeySets.asked, KeySets.status = BOTH, 0, 200
    with Server(folder, settings(url, jwks_ca=certificate), anonymous=False, store="store") as s:
        assert ask(s, token()).status == 200 and KeySets.asked == 1
        KeySets.served = key_set((EC_OTHER, "ec-2", "ES256"))  # the keys are rotated
        new = token(EC_OTHER, kid="ec-2")
        assert ask(s, new).status == 200 and KeySets.asked == 2, KeySets.asked  # the request waits for the fetch
        assert ask(s, token()).status == 401 and KeySets.asked == 3, KeySets.asked  # the old key is gone
        begun = time.monotonic()
        for i in range(200):  # keys that nobody has: the issuer is left alone
            answer = ask(s, token(EC_OTHER, kid=f"x{i}"))
            assert answer.status in (401, 503), answer.text
            assert answer.status != 503 or 1 <= int(answer.headers["retry-after"]) <= 10
        assert ask(s, token()).status == 401  # one that was looked for just now is not looked for again
        assert KeySets.asked <= 4 + (time.monotonic() - begun) / 10, KeySets.asked
        KeySets.status = 500
        assert ask(s, new).status == 200
    with Server(folder, settings(url), anonymous=False, store="store") as s:  # a certificate that nobody trusts
        answer = ask(s, new)
        assert answer.status == 503 and answer.json["error"]["code"] == "keys_unavailable", answer.text
        assert "key set cannot be had" in s.err, s.err
    KeySets.status = 302
    with Server(folder, settings(url, jwks_ca=certificate), anonymous=False, store="store") as s:
        assert ask(s, new).status == 503
    served.shutdown()


main()
