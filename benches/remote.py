"""Another server, as far as it takes to join rooms, sign events and show its key. Needs pycryptodome."""

import base64
import hashlib
import http.server
import json
import ssl
import subprocess
import threading
import time
from urllib.parse import quote

from client import Refused, Wire

FEDERATION = "/_matrix/federation"
VERSION = "11"
KEPT = ("event_id", "type", "room_id", "sender", "state_key", "hashes", "depth", "prev_events", "auth_events", "origin_server_ts")


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def unpadded(data, urlsafe=False):
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    return encode(data).decode().rstrip("=")


def redacted(event):
    """What is signed of an event of room version 11, as far as the types go that are sent here."""
    kept = {key: event[key] for key in KEPT if key in event}
    content = event["content"]
    kept["content"] = {"membership": content["membership"]} if event["type"] == "m.room.member" else {}
    return kept


class Remote:
    """A server on a port of its own, which serves its key over TLS."""

    def __init__(self, directory, port):
        from Crypto.PublicKey import ECC
        from Crypto.Signature import eddsa

        self.name = f"127.0.0.1:{port}"
        key = ECC.generate(curve="ed25519")
        self.public = unpadded(key.public_key().export_key(format="raw"))
        self.signer = eddsa.new(key, "rfc8032")
        self._serve(directory, port)

    def sign(self, data):
        return unpadded(self.signer.sign(data))

    def signed(self, value):
        return {**value, "signatures": {self.name: {"ed25519:1": self.sign(canonical(value))}}}

    def _serve(self, directory, port):
        certificate, key = directory / "remote.crt", directory / "remote.key"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        until = int(time.time() * 1000) + 86_400_000
        keys = {"verify_keys": {"ed25519:1": {"key": self.public}}, "old_verify_keys": {}}
        document = json.dumps(self.signed({"server_name": self.name, "valid_until_ts": until, **keys})).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                found = self.path.startswith("/_matrix/key/v2/server")
                body = document if found else b'{"pdus":{}}'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = _answer

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def request(self, destination, method, path, content=None):
        """The bytes of a signed request."""
        signed = {"method": method, "uri": path, "origin": self.name, "destination": destination}
        body = b""
        if content is not None:
            signed["content"] = content
            body = canonical(content)
        signature = self.sign(canonical(signed))
        authorization = f'X-Matrix origin="{self.name}",destination="{destination}",key="ed25519:1",sig="{signature}"'
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\nAuthorization: {authorization}\r\n\r\n"
        return head.encode() + body

    def call(self, wire, destination, method, path, content=None):
        wire.socket.sendall(self.request(destination, method, path, content))
        return wire.answer(f"{method} {path}")

    def event(self, room, sender, kind, content, prev, auth, depth, state_key=None):
        """A signed event and its id."""
        event = {
            "type": kind, "room_id": room, "sender": sender, "content": content, "depth": depth,
            "prev_events": [prev], "auth_events": auth, "origin_server_ts": int(time.time() * 1000),
        }
        if state_key is not None:
            event["state_key"] = state_key
        return self.seal(event)

    def seal(self, event):
        event.pop("signatures", None), event.pop("hashes", None), event.pop("event_id", None)
        event["hashes"] = {"sha256": unpadded(hashlib.sha256(canonical(event)).digest())}
        bare = canonical(redacted(event))
        event["signatures"] = {self.name: {"ed25519:1": self.sign(bare)}}
        return event, "$" + unpadded(hashlib.sha256(bare).digest(), urlsafe=True)

    def join(self, address, destination, room, user):
        """Joins by a handshake; answers a chain to go on from."""
        wire = Wire(address)
        path = f"{FEDERATION}/v1/make_join/{quote(room, safe='')}/{quote(user, safe='')}?ver={VERSION}"
        template = self.call(wire, destination, "GET", path)["event"]
        template["origin_server_ts"] = int(time.time() * 1000)
        event, event_id = self.seal(template)
        path = f"{FEDERATION}/v2/send_join/{quote(room, safe='')}/{quote(event_id, safe='')}"
        answer = self.call(wire, destination, "PUT", path, event)
        wire.close()
        ids = {}
        for state in answer["state"]:
            ids[state["type"], state["state_key"]] = "$" + unpadded(
                hashlib.sha256(canonical(redacted_any(state))).digest(), urlsafe=True
            )
        return Chain(self, room, user, event_id, event["depth"], ids)


def redacted_any(event):
    """As `redacted`, for the state events that every room begins with."""
    allowed = {
        "m.room.create": None,
        "m.room.member": ("membership", "join_authorised_via_users_server"),
        "m.room.join_rules": ("join_rule", "allow"),
        "m.room.power_levels": (
            "ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default",
        ),
        "m.room.history_visibility": ("history_visibility",),
    }
    kept = {key: event[key] for key in KEPT if key in event}
    keys = allowed.get(event["type"], ())
    content = event["content"]
    kept["content"] = content if keys is None else {key: content[key] for key in keys if key in content}
    return kept


class Chain:
    """Events of one user in one room, each after the other."""

    def __init__(self, remote, room, user, event_id, depth, ids):
        self.remote, self.room, self.user = remote, room, user
        self.last, self.depth, self.ids, self.own = event_id, depth, ids, event_id

    def _auth(self, *keys):
        return [self.ids[key] for key in keys if key in self.ids]

    def _add(self, sender, kind, content, auth, state_key=None):
        self.depth += 1
        event, self.last = self.remote.event(
            self.room, sender, kind, content, self.last, auth, self.depth, state_key
        )
        return event

    def text(self, body):
        auth = self._auth(("m.room.create", ""), ("m.room.power_levels", "")) + [self.own]
        return self._add(self.user, "m.room.message", {"msgtype": "m.text", "body": body}, auth)

    def state(self, key):
        auth = self._auth(("m.room.create", ""), ("m.room.power_levels", "")) + [self.own]
        return self._add(self.user, "bench.state", {"key": key}, auth, key)

    def member(self, user):
        auth = self._auth(("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.join_rules", ""))
        return self._add(user, "m.room.member", {"membership": "join"}, auth, user)


__all__ = ["FEDERATION", "Refused", "Remote"]
