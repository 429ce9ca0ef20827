"""What the examples share: JSON over HTTP, and a WebSocket as small as it can be. Standard library only.

Both are for http:// and ws:// addresses of a server without authentication.
"""

import base64
import json
import os
import socket
import struct
import time
import urllib.error
import urllib.parse
import urllib.request

SERVER = os.environ.get("FILLSTREAM_SERVER", "http://127.0.0.1:3000").rstrip("/")
PATIENCE_S = 30  # without the server, before a client gives up
PAUSE_S = 0.3  # between two tries


class Untold(Exception):
    """The outcome could not be told: the server refused, or is gone."""


class Lost(Exception):
    """The connection is gone."""


def request(method, path, body=None, key=None):
    """`(status, JSON)` of the answer. Repeated while there is none, so `key` or the body must make it one order."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if key:
        headers["Idempotency-Key"] = key
    data = json.dumps(body).encode() if body is not None else None
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            asked = urllib.request.Request(SERVER + path, data, headers, method=method)
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            if refused.code < 500:
                return refused.code, json.load(refused)
        except (OSError, ValueError):
            pass  # no connection, or it broke before the answer
        time.sleep(PAUSE_S)
    raise Untold(f"{SERVER} does not answer")


def refusal(problem):
    """A problem (RFC 9457) as lines for people."""
    fields = [f"  {error['pointer']}: {error['detail']}" for error in problem.get("errors", [])]
    return "\n".join([problem.get("detail") or problem.get("title", "refused"), *fields])


class WebSocket:
    """The client's side of RFC 6455: text in, pings answered."""

    def __init__(self, url):
        address = urllib.parse.urlsplit(url)
        try:
            self.wire = socket.create_connection((address.hostname, address.port or 80), timeout=90)
            self.read = self.wire.makefile("rb").read
            self._shake_hands(address)
        except OSError as error:
            raise Lost(str(error)) from error

    def _shake_hands(self, address):
        path = address.path + (f"?{address.query}" if address.query else "")
        key = base64.b64encode(os.urandom(16)).decode()
        self.wire.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._exactly(1)
        status = int(head.split(b" ", 2)[1])
        if status == 101:
            return
        if status < 500:
            raise Untold(f"{path}: {status}")
        raise Lost(f"{path}: {status}")

    def _exactly(self, count):
        """`read` waits for all of it, or the end."""
        data = self.read(count)
        if len(data) < count:
            raise Lost("closed")
        return data

    def _send(self, opcode, payload):
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        self.wire.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked)

    def messages(self):
        """Messages as JSON, until the server closes in good order. Raises `Lost` when the connection breaks."""
        text = b""
        try:
            while True:
                first, length = self._exactly(2)
                if length == 126:
                    (length,) = struct.unpack(">H", self._exactly(2))
                elif length == 127:
                    (length,) = struct.unpack(">Q", self._exactly(8))
                opcode, payload = first & 0x0F, self._exactly(length)
                if opcode == 0x8:
                    self._send(0x8, payload[:2])
                    return
                if opcode == 0x9:
                    self._send(0xA, payload)
                if opcode in (0x0, 0x1):
                    text += payload
                    if first & 0x80:
                        yield json.loads(text)
                        text = b""
        except OSError as error:
            raise Lost(str(error)) from error
        finally:
            self.wire.close()


def follow(url, channel):
    """Opens `url` again and again, resuming by `channel.after`, until `channel.take(message)` gives an outcome."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            after = channel.after
            resume = f"{'&' if '?' in url else '?'}after={after}" if after is not None else ""
            for message in WebSocket(url + resume).messages():
                deadline = time.monotonic() + PATIENCE_S
                outcome = channel.take(message)
                if outcome is not None:
                    return outcome
        except Lost:
            pass
        channel.note("connection lost, resuming")
        time.sleep(PAUSE_S)
    raise Untold(f"{SERVER} does not answer")
