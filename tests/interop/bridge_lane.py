"""A bridge by mautrix's library, which most bridges are built on: users that it makes, what it is told, outages.

    python bridge_lane.py HEARTH_BINARY [--keep]

Prints "N passed, M failed".
"""

import asyncio
import sys
import threading

from mautrix.appservice import AppService, ASStateStore
from mautrix.client.state_store import MemoryStateStore
from mautrix.types import EventType, TextMessageEventContent

import lane
from person import Person, Refused, eventually
from servers import Hearth

AS_TOKEN, HS_TOKEN = "bridge-as-token", "bridge-hs-token"
EVENTS = 300


class BridgedHearth(Hearth):
    """A Hearth with one registration, as mautrix's bridges write them."""

    def __init__(self, world, label, binary):
        self.bridge_port = world.port()
        self.registration = world.directory / "registration.yaml"
        super().__init__(world, label, binary)

    def configuration(self):
        self.registration.write_text(f"""
id: bridge
url: http://127.0.0.1:{self.bridge_port}
as_token: {AS_TOKEN}
hs_token: {HS_TOKEN}
sender_localpart: bridgebot
rate_limited: false
namespaces:
    users:
    - regex: '^@bridge_.*:localhost:{self.tls_port}$'
      exclusive: true
    - regex: '^@bridgebot:localhost:{self.tls_port}$'
      exclusive: true
    aliases: []
de.sorunome.msc2409.push_ephemeral: true
receive_ephemeral: true
org.matrix.msc3202: true
io.element.msc4190: true
""")
        appservices = f'[appservices]\nregistrations = ["{self.registration}"]\n'
        return super().configuration() + appservices


class Store(ASStateStore, MemoryStateStore):
    """What the library remembers of rooms; nothing, after a restart."""

    def __init__(self):
        ASStateStore.__init__(self)
        MemoryStateStore.__init__(self)


class Bridge:
    """The library in a thread of its own, with what it was told."""

    def __init__(self, server):
        self.server = server
        self.told = []
        self.passing = []
        self.mail = []
        self.counts = []
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.up()

    def do(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(90)

    async def make(self):
        self.library = AppService(
            server=self.server.url, domain=self.server.name, as_token=AS_TOKEN, hs_token=HS_TOKEN,
            bot_localpart="bridgebot", id="bridge", ephemeral_events=True, encryption_events=True,
            state_store=Store(), loop=self.loop,
        )
        self.library.matrix_event_handler(self.take)
        self.library.to_device_handler = self.take_mail
        self.library.otk_handler = self.take_counts
        await self.library.start("127.0.0.1", self.server.bridge_port)

    async def take(self, event):
        (self.passing if event.type.is_ephemeral else self.told).append(event)

    async def take_mail(self, message):
        self.mail.append(message)

    async def take_counts(self, counts):
        self.counts.append(counts)

    def up(self):
        self.do(self.make())

    def down(self):
        self.do(self.library.stop())

    def ghost(self, name):
        return self.library.intent.user(f"@bridge_{name}:{self.server.name}")

    def heard(self, room, prefix=""):
        """What was said in a room, as often as it was told."""
        said = [event for event in self.told if event.type == EventType.ROOM_MESSAGE and event.room_id == room]
        return [event.content.body for event in said if event.content.body.startswith(prefix)]


class Town:
    """A server with a bridge, and alice in a room that the bridge is in, too."""

    def __init__(self, world, binary):
        self.server = BridgedHearth(world, "hearth", binary).start()
        self.bridge = Bridge(self.server)
        self.alice = Person(self.server, "alice")
        self.room = self.alice.create("12", preset="public_chat")

    def ghost(self):
        return self.bridge.ghost("bob")


def the_bridge_is_reached_by_a_ping(town):
    took = town.bridge.do(town.bridge.library.ping_self("t"))
    assert took >= 0, took


def a_ghost_is_made_named_and_joins(town):
    ghost = town.ghost()
    town.bridge.do(ghost.ensure_registered())
    town.bridge.do(ghost.set_displayname("Bob from elsewhere"))
    town.bridge.do(ghost.ensure_joined(town.room))
    member = town.alice.read(town.room, "m.room.member", ghost.mxid)
    assert member["membership"] == "join" and member["displayname"] == "Bob from elsewhere", member


def a_ghost_says_what_was_said_before(town):
    content = TextMessageEventContent(msgtype="m.text", body="from 2001")
    event = town.bridge.do(town.ghost().send_message(town.room, content, timestamp=1_000_000_000_000))
    found = town.alice.event(town.room, event)
    assert found["origin_server_ts"] == 1_000_000_000_000 and found["content"]["body"] == "from 2001", found


def names_of_ghosts_are_for_nobody_else(town):
    try:
        Person(town.server, "bridge_mallory").id
    except Refused as error:
        assert error.code == "M_EXCLUSIVE", error
    else:
        raise AssertionError("registered")


def the_bridge_hears_what_is_said(town):
    town.alice.say(town.room, "hello bridge")
    eventually("the message", lambda: town.bridge.heard(town.room, "hello") == ["hello bridge"])


def an_invite_makes_a_room_of_two(town):
    room = town.alice.create("11", invite=[town.ghost().mxid], is_direct=True)
    invited = lambda: [event for event in town.bridge.told
                       if event.room_id == room and event.state_key == town.ghost().mxid]
    eventually("the invite", lambda: bool(invited()))
    town.bridge.do(town.ghost().join_room(room))
    town.alice.say(room, "you alone")
    eventually("the message", lambda: town.bridge.heard(room) == ["you alone"])


def typing_and_receipts_are_told(town):
    event = town.alice.say(town.room, "read this")
    where = "v3/rooms/" + town.room
    town.alice.call("PUT", f"{where}/typing/{town.alice.id}", {"typing": True, "timeout": 30000})
    town.alice.call("POST", f"{where}/receipt/m.read/{event}")
    kinds = lambda: {str(event.type) for event in town.bridge.passing if getattr(event, "room_id", None) == town.room}
    eventually("typing and a receipt", lambda: kinds() >= {"m.typing", "m.receipt"})


def a_device_of_a_ghost_gets_its_messages(town):
    ghost = town.ghost()
    town.bridge.do(ghost.create_device_msc4190("GHOST", "Bridge"))
    message = {"messages": {ghost.mxid: {"GHOST": {"n": 1}}}}
    town.alice.call("PUT", "v3/sendToDevice/org.example.test/1", message)
    eventually("the message", lambda: len(town.bridge.mail) == 1)
    mail = town.bridge.mail[0]
    assert (mail.to_user_id, mail.to_device_id, mail.sender) == (ghost.mxid, "GHOST", town.alice.id), mail
    assert any(ghost.mxid in counts for counts in town.bridge.counts), town.bridge.counts


def arrived(town, prefix, count):
    expected = [f"{prefix}{n}" for n in range(count)]
    heard = lambda: list(dict.fromkeys(town.bridge.heard(town.room, prefix)))
    try:
        eventually("the last message", lambda: expected[-1] in heard())
    finally:
        assert heard() == expected, f"{len(set(expected) - set(heard()))} lost, or out of order: {heard()[:5]}"


def say(town, prefix, count):
    for n in range(count):
        town.alice.say(town.room, f"{prefix}{n}")


def what_is_said_while_the_bridge_is_down_arrives_later_in_order(town):
    town.bridge.down()
    say(town, "down ", EVENTS)
    town.bridge.up()
    # As bridges do at their start.
    town.bridge.do(town.bridge.library.ping_self("again"))
    arrived(town, "down ", EVENTS)


def a_killed_server_goes_on_where_it_was(town):
    town.bridge.down()
    say(town, "killed ", EVENTS)
    town.server.kill()
    town.server.start()
    say(town, "later ", 3)
    town.bridge.up()
    town.bridge.do(town.bridge.library.ping_self("again"))
    arrived(town, "killed ", EVENTS)
    arrived(town, "later ", 3)


STEPS = [
    the_bridge_is_reached_by_a_ping,
    a_ghost_is_made_named_and_joins,
    a_ghost_says_what_was_said_before,
    names_of_ghosts_are_for_nobody_else,
    the_bridge_hears_what_is_said,
    an_invite_makes_a_room_of_two,
    typing_and_receipts_are_told,
    a_device_of_a_ghost_gets_its_messages,
    what_is_said_while_the_bridge_is_down_arrives_later_in_order,
    a_killed_server_goes_on_where_it_was,
]


def converse(world, options):
    return lane.go_through(STEPS, "A bridge", Town(world, options.binary))


if __name__ == "__main__":
    sys.exit(lane.run(converse))
