"""Starts @copilotkit/aimock, a server of services that others wrote, and a TLS front before it. run.sh has installed it."""

import json
import os
import queue
import re
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from _https import make_certificate  # noqa: E402  pylint: disable=wrong-import-position


def _relay(source, target):
    """Bytes as they come; the end of one side is the end of the other."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for side in (source, target):
        try:
            side.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class TlsFront:
    """Takes TLS off what comes to localhost, and hands the bytes to a port; HTTP is none of its business."""

    def __init__(self, folder, port):
        self.ca, key = make_certificate(folder)
        self.target, self.connections = port, 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.ca, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.listener.getsockname()[1]}"
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        try:
            near = self.context.wrap_socket(plain, server_side=True)
            far = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            plain.close()
            return
        self.connections += 1
        back = threading.Thread(target=_relay, args=(far, near), daemon=True)
        back.start()
        _relay(near, far)
        back.join()
        near.close()
        far.close()

    def close(self):
        # A thread that still waits in accept() takes what comes to the next front once its process has stood still: the call
        # begins again, with a number that is another socket's then.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()


class Aimock:
    """with Aimock(box, key, fixtures) as mock: ... mock.url is https; requests without the key get 401."""

    def __init__(self, box, key, fixtures):
        self.folder, self.key = box.path, key
        self.fixtures = box.write("fixtures.json", json.dumps({"fixtures": fixtures}))

    def __enter__(self):
        command = [os.environ["AIORCH_AIMOCK_NODE"], os.environ["AIORCH_AIMOCK"], "--port", "0", "--fixtures", self.fixtures,
                   "--validate-on-load", "--chunk-size", "12"]
        self.process = subprocess.Popen(command, env={**os.environ, "AIMOCK_API_KEYS": self.key}, cwd=self.folder,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.plain = self._wait_for_address()
        self.front = TlsFront(self.folder, int(self.plain.rsplit(":", 1)[1]))
        self.url, self.ca = self.front.url, self.front.ca
        return self

    def _wait_for_address(self):
        said, found = [], queue.Queue()

        def read():
            for line in self.process.stdout:
                said.append(line)
                at = re.search(r"listening on (http://\S+:\d+)", line)
                if at:
                    found.put(at.group(1))
            found.put(None)

        threading.Thread(target=read, daemon=True).start()
        address = found.get(timeout=60)
        assert address, "aimock ended: " + "".join(said)[-1000:]
        return address

    def __exit__(self, *_):
        self.front.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def control(self, what, method="GET"):
        request = urllib.request.Request(self.plain + "/__aimock/" + what, method=method,
                                         headers={"Authorization": "Bearer " + self.key})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)

    def journal(self):
        """What it was asked, oldest first: path, headers (keys hidden), body, response.status."""
        entries = self.control("journal")
        return entries.get("entries", entries) if isinstance(entries, dict) else entries

    def forget(self):
        self.control("reset/journal", "POST")
