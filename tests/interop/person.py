"""A user with everything that a client of theirs has seen, in order. Plain HTTP, no client library."""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request

from servers import SECRET

PATIENCE = 90  # seconds, for machines that do much else


class Refused(Exception):
    """An answer that is not 2xx."""

    def __init__(self, what, status, body):
        super().__init__(f"{what}: {status} {body[:300]!r}")
        self.status = status
        self.code = json.loads(body).get("errcode") if body[:1] == b"{" else None


def request(method, url, body=None, token=None, kind="application/json"):
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if data is not None:
        headers["Content-Type"] = kind
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=120) as answer:
            return answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(f"{method} {urllib.parse.unquote(url.split('?')[0])}", error.code, error.read()) from None


def path(*parts):
    return "/".join(urllib.parse.quote(str(part), safe="") for part in parts)


class Person:
    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.since = None
        self.count = 0
        self.timelines = {}
        self.state = {}
        self.ephemeral = {}
        self.invites = {}
        self.memberships = {}
        self.to_device = []
        self.changed = []
        self.register()

    def register(self):
        """By the shared secret, which both kinds of servers know in the same way."""
        address = f"{self.server.url}/_synapse/admin/v1/register"
        nonce = json.loads(request("GET", address)[0])["nonce"]
        mac = hmac.new(SECRET.encode(), b"\0".join([nonce.encode(), self.name.encode(), b"secret", b"notadmin"]), hashlib.sha1)
        body = {"nonce": nonce, "username": self.name, "password": "secret", "admin": False, "mac": mac.hexdigest()}
        answer = json.loads(request("POST", address, body)[0])
        self.id, self.token, self.device = answer["user_id"], answer["access_token"], answer["device_id"]

    # --- asking ---

    def call(self, verb, where, body=None, **query):
        """The JSON that the client-server API answers; `where` begins behind `/_matrix/client/`."""
        if verb in ("POST", "PUT") and body is None:
            body = {}
        return json.loads(self.raw(verb, f"client/{where}", body, **query)[0])

    def raw(self, verb, where, body=None, kind="application/json", **query):
        query = "?" + urllib.parse.urlencode(query) if query else ""
        return request(verb, f"{self.server.url}/_matrix/{where}{query}", body, self.token, kind)

    def refused(self, status, act, *arguments, **options):
        try:
            act(*arguments, **options)
        except Refused as error:
            assert error.status == status, f"refused with {error.status}, not {status}: {error}"
            return error.code
        raise AssertionError(f"{self.name} should have been refused")

    def number(self):
        self.count += 1
        return self.count

    # --- rooms ---

    def create(self, version, **options):
        return self.call("POST", "v3/createRoom", {"room_version": version, **options})["room_id"]

    def send(self, room, kind, content):
        return self.call("PUT", "v3/rooms/" + path(room, "send", kind, f"t{self.number()}"), content)["event_id"]

    def say(self, room, body):
        return self.send(room, "m.room.message", {"msgtype": "m.text", "body": body})

    def set(self, room, kind, content, key=""):
        return self.call("PUT", "v3/rooms/" + path(room, "state", kind, key), content)["event_id"]

    def read(self, room, kind, key=""):
        return self.call("GET", "v3/rooms/" + path(room, "state", kind, key))

    def join(self, room, via=None):
        return self.call("POST", "v3/join/" + path(room), **({"server_name": via} if via else {}))["room_id"]

    def act(self, room, what, **body):
        return self.call("POST", "v3/rooms/" + path(room, what), body)

    def redact(self, room, event):
        return self.call("PUT", "v3/rooms/" + path(room, "redact", event, f"t{self.number()}"), {"reason": "test"})["event_id"]

    def event(self, room, event):
        return self.call("GET", "v3/rooms/" + path(room, "event", event))

    def whole_state(self, room):
        """The ids of the events of the room's state."""
        return {event["event_id"] for event in self.call("GET", "v3/rooms/" + path(room, "state"))}

    def membership(self, room, user):
        try:
            return self.read(room, "m.room.member", user)["membership"]
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def history(self, room, most=3000):
        """All events of the room, oldest first, by paging backwards until there is no more."""
        events, query = [], {}
        while len(events) < most:
            page = self.call("GET", "v3/rooms/" + path(room, "messages"), dir="b", limit=100, **query)
            events += page["chunk"]
            if "end" not in page:
                break
            query = {"from": page["end"]}
        return events[::-1]

    def said(self, room, prefix, where=None):
        """What messages with this prefix say, in the order of the room's history."""
        bodies = (event["content"].get("body", "") for event in (where or self.history(room)))
        return [body for body in bodies if body.startswith(prefix)]

    # --- seeing ---

    def sync(self, timeout=0):
        query = {"since": self.since} if self.since else {}
        filters = json.dumps({"room": {"timeline": {"limit": 100}}, "presence": {"types": []}})
        answer = self.call("GET", "v3/sync", timeout=timeout, filter=filters, **query)
        self.since = answer["next_batch"]
        self.to_device += answer.get("to_device", {}).get("events", [])
        self.changed += answer.get("device_lists", {}).get("changed", [])
        rooms = answer.get("rooms", {})
        for room, news in rooms.get("invite", {}).items():
            self.invites[room] = news["invite_state"]["events"]
        for kind in ("join", "leave"):
            for room, news in rooms.get(kind, {}).items():
                self.memberships[room] = kind
                self.invites.pop(room, None)
                timeline = news.get("timeline", {}).get("events", [])
                self.timelines.setdefault(room, []).extend(timeline)
                state = self.state.setdefault(room, {})
                for event in news.get("state", {}).get("events", []) + timeline:
                    if "state_key" in event:
                        state[event["type"], event["state_key"]] = event
                for event in news.get("ephemeral", {}).get("events", []):
                    self.ephemeral.setdefault(room, {}).setdefault(event["type"], []).append(event["content"])

    def until(self, what, condition):
        """Long polls until `condition` holds, and returns what it found."""
        end = time.monotonic() + PATIENCE
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"{self.name} never sees {what}")
            self.sync(timeout=1000)

    def timeline(self, room):
        return self.timelines.get(room, [])

    def sees(self, room, event_id):
        """The event as /sync shows it; exactly once."""
        def found():
            return [event for event in self.timeline(room) if event["event_id"] == event_id]
        events = self.until(f"event {event_id}", found)
        assert len(events) == 1, f"{self.name} sees {event_id} {len(events)} times"
        return events[0]

    def sees_state(self, room, kind, key, fits):
        def found():
            event = self.state.get(room, {}).get((kind, key))
            return event if event and fits(event["content"]) else None
        self.sync()  # what was seen before may be old
        return self.until(f"the {kind} {key}", found)


def eventually(what, condition):
    """For what no /sync tells of."""
    end = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"it never becomes true: {what}")
        time.sleep(0.5)
