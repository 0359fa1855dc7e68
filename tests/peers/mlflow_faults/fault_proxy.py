"""A line to an HTTP server that fails by a seed: requests and answers get lost, come late, come as nonsense.

    with FaultProxy(target_port, seed, rate) as proxy: ... proxy.port, proxy.counts, proxy.rate = 0

Every fault is one that a real network, a reverse proxy or an overloaded server produces. One connection a request.
"""

import collections
import random
import socket
import threading
import time

FAULTS = ("500", "500 after", "429", "503 html", "cut before", "lost answer", "half answer", "garbage", "slow", "late")


def read_message(connection: socket.socket) -> bytes:
    """One HTTP/1.1 message with Content-Length, chunks, or an end by closing."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
    if headers.get(b"expect") == b"100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get(b"transfer-encoding") == b"chunked":
        while not body.endswith(b"0\r\n\r\n"):
            part = connection.recv(65536)
            if not part:
                break
            body += part
    elif b"content-length" in headers or not lines[0].startswith(b"http/"):
        length = int(headers.get(b"content-length", b"0"))
        while len(body) < length:
            part = connection.recv(65536)
            if not part:
                break
            body += part
    else:
        while part := connection.recv(65536):
            body += part
    return head + b"\r\n\r\n" + body


def answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class FaultProxy:
    def __init__(self, target_port: int, seed: int, rate: float):
        self.target_port, self.rate = target_port, rate
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.counts: collections.Counter[str] = collections.Counter()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _forward(self, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n")
                 if not line.lower().startswith((b"connection:", b"expect:"))]
        with socket.create_connection(("127.0.0.1", self.target_port), timeout=60) as server:
            server.sendall(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
            return read_message(server)

    def _serve(self, connection: socket.socket):
        with connection:
            try:
                connection.settimeout(60)
                request = read_message(connection)
                if not request:
                    return
                with self.lock:
                    fault = self.random.choice(FAULTS) if self.random.random() < self.rate else "none"
                    self.counts[fault] += 1
                reply = self._reply(fault, request)
                if reply:
                    connection.sendall(reply)
            except OSError:
                pass  # the other side is gone, or the server is down: the client sees a closed connection

    def _reply(self, fault: str, request: bytes) -> bytes:
        if fault == "500":
            return answer("500 Internal Server Error", b'{"error_code": "INTERNAL_ERROR", "message": "by the proxy"}')
        if fault == "429":
            return answer("429 Too Many Requests", b"slow down", "Retry-After: 1")
        if fault == "503 html":
            return answer("503 Service Unavailable", b"<html><body>no backend</body></html>")
        if fault == "cut before":
            return b""
        if fault == "late":
            # The client sees a broken line now; the server gets the request all the same, a little later.
            threading.Timer(0.4, self._late, args=(request,)).start()
            return b""
        if fault == "slow":
            time.sleep(0.7)
        reply = self._forward(request)
        if fault == "500 after":
            return answer("500 Internal Server Error", b"lost on the way back")
        if fault == "lost answer":
            return b""
        if fault == "half answer":
            return reply[: max(1, len(reply) // 2)]
        if fault == "garbage":
            return answer("200 OK", b'{"run": {"info": \x00\xff <<<')
        return reply

    def _late(self, request: bytes):
        try:
            self._forward(request)
        except OSError:
            pass
