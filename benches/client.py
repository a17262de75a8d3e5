"""A small HTTP/1.1 client over blocking sockets: one connection per Client, so that concurrency is what a test says."""

import json
import socket
from urllib.parse import quote

CLIENT = "/_matrix/client/v3"


class Refused(Exception):
    """The server answered with another status than 200."""


class Wire:
    """One connection. `write` and `read` are apart, so that many requests can be under way at once."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.create_connection(address, timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def write(self, method, path, token=None, body=b"", kind="application/json"):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nContent-Type: {kind}\r\n"
        if token:
            head += f"Authorization: Bearer {token}\r\n"
        self.socket.sendall(head.encode() + b"\r\n" + body)

    def read(self):
        """The status and the bytes of the next answer."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = dict(line.split(": ", 1) for line in lines[1:])
        if "content-length" in headers:
            length = int(headers["content-length"])
            self.buffer = rest
            while len(self.buffer) < length:
                self._more()
            body, self.buffer = self.buffer[:length], self.buffer[length:]
            return status, body
        return status, self._chunks(rest)

    def _chunks(self, rest):
        self.buffer, body = rest, b""
        while True:
            while b"\r\n" not in self.buffer:
                self._more()
            size, _, self.buffer = self.buffer.partition(b"\r\n")
            length = int(size, 16)
            while len(self.buffer) < length + 2:
                self._more()
            body += self.buffer[:length]
            self.buffer = self.buffer[length + 2 :]
            if length == 0:
                return body

    def _more(self):
        part = self.socket.recv(1 << 20)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.buffer += part

    def call(self, method, path, token=None, body=b"", kind="application/json"):
        self.write(method, path, token, body, kind)
        return self.answer(f"{method} {path}")

    def answer(self, what):
        """The JSON of the next answer, which must be 200."""
        status, body = self.read()
        if status != 200:
            raise Refused(f"{what}: {status} {body[:300].decode(errors='replace')}")
        return json.loads(body)

    def close(self):
        self.socket.close()


class Client:
    """A device of an account."""

    def __init__(self, address, session):
        self.address = address
        self.user = session["user_id"]
        self.token = session["access_token"]
        self.sent = 0
        self._wire = None

    @property
    def wire(self):
        if self._wire is None:
            self._wire = Wire(self.address)
        return self._wire

    def hang_up(self):
        """Closes the connection; the next request opens another."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def write(self, method, path, body=b""):
        self.wire.write(method, path, self.token, body)

    def answer(self, what=""):
        return self.wire.answer(what)

    def get(self, path):
        return self.wire.call("GET", path, self.token)

    def post(self, path, body):
        return self.wire.call("POST", path, self.token, body)

    def create_room(self, **body):
        return self.post(f"{CLIENT}/createRoom", body)["room_id"]

    def join(self, room):
        return self.post(f"{CLIENT}/join/{quote(room)}", {})

    def write_join(self, room):
        self.write("POST", f"{CLIENT}/join/{quote(room)}", {})

    def write_text(self, room, text):
        self.sent += 1
        path = f"{CLIENT}/rooms/{quote(room)}/send/m.room.message/t{self.sent}"
        self.write("PUT", path, {"msgtype": "m.text", "body": text})

    def send_text(self, room, text):
        self.write_text(room, text)
        return self.answer("send")["event_id"]

    def sync(self, since=None, timeout=0):
        self.write_sync(since, timeout)
        return self.answer("sync")

    def write_sync(self, since=None, timeout=0):
        path = f"{CLIENT}/sync?timeout={timeout}"
        self.write("GET", path + (f"&since={quote(since)}" if since else ""))

    def upload(self, data):
        return self.wire.call("POST", "/_matrix/media/v3/upload", self.token, data, "application/octet-stream")


def register(wire, name):
    """Registers `name`, whose password is its name."""
    body = {"username": name, "password": name, "auth": {"type": "m.login.dummy"}}
    return Client(wire.address, wire.call("POST", f"{CLIENT}/register", body=body))


def register_many(address, names, lanes=16):
    """Registers accounts over a few connections at once."""
    wires = [Wire(address) for _ in range(lanes)]
    clients = []
    for start in range(0, len(names), lanes):
        group = list(zip(wires, names[start : start + lanes]))
        for wire, name in group:
            body = {"username": name, "password": name, "auth": {"type": "m.login.dummy"}}
            wire.write("POST", f"{CLIENT}/register", body=body)
        clients += [Client(address, wire.answer(f"register {name}")) for wire, name in group]
    for wire in wires:
        wire.close()
    return clients


def join_many(clients, room, lanes=16):
    """Lets accounts join, a few at once."""
    for start in range(0, len(clients), lanes):
        group = clients[start : start + lanes]
        for client in group:
            client.write_join(room)
        for client in group:
            client.answer("join")
            client.hang_up()
