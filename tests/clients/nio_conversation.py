"""Two people hold a conversation through matrix-nio; the server is restarted in between.

    python nio_conversation.py HEARTH_BINARY

Each step is a sentence and builds on the ones before it, as in a conversation. Prints "N passed, N failed".
"""

import asyncio
import io
import sys
import traceback

import nio
from hearth import TOKEN, Server
from nio import AsyncClient, AsyncClientConfig
from nio.api import ReceiptType, RelationshipType, ResizingMethod
from picture import png, png_size

PASSWORD = "correct horse battery staple"
CONFIG = AsyncClientConfig(encryption_enabled=False, max_limit_exceeded=20, max_timeouts=2, request_timeout=30)


class Person:
    """A client with everything that it has seen, in order."""

    def __init__(self, server, name):
        self.name = name
        self.nio = AsyncClient(server.url, name, config=CONFIG)
        self.seen = []
        self.presence = {}
        self.left = set()
        self.nio.add_event_callback(lambda room, event: self.seen.append(event), nio.Event)
        self.nio.add_presence_callback(lambda event: self.presence.update({event.user_id: event}), nio.PresenceEvent)

    @property
    def id(self):
        return self.nio.user_id

    async def sync(self, **options):
        answer = good(await self.nio.sync(timeout=options.pop("timeout", 0), **options))
        self.left |= answer.rooms.leave.keys()
        return answer

    async def until(self, what, condition):
        """Syncs by long polling until `condition` holds."""
        for _ in range(20):
            found = condition()
            if found:
                return found
            await self.sync(timeout=2000)
        raise AssertionError(f"{self.name} never sees {what}")

    async def sees(self, event_id):
        return await self.until(f"event {event_id}", lambda: self.event(event_id))

    def event(self, event_id):
        return next((event for event in self.seen if event.event_id == event_id), None)

    def times(self, event_id):
        return sum(1 for event in self.seen if event.event_id == event_id)

    async def send(self, room, content, kind="m.room.message"):
        return good(await self.nio.room_send(room, kind, content)).event_id

    async def say(self, room, body, **more):
        return await self.send(room, {"msgtype": "m.text", "body": body, **more})


def good(response):
    assert not isinstance(response, nio.ErrorResponse), str(response)
    return response


class Conversation:
    def __init__(self, server):
        self.server = server
        self.alice = Person(server, "alice")
        self.bob = Person(server, "bob")

    async def end(self):
        for person in vars(self).values():
            if isinstance(person, Person):
                await person.nio.close()

    async def alice_and_bob_register_with_the_token(self):
        for person in (self.alice, self.bob):
            good(await person.nio.register_with_token(person.name, PASSWORD, TOKEN))
            assert person.id == f"@{person.name}:clients.example", person.id
            assert good(await person.nio.whoami()).user_id == person.id

    async def nobody_registers_with_another_token(self):
        eve = AsyncClient(self.server.url, "eve", config=CONFIG)
        answer = await eve.register_with_token("eve", PASSWORD, "wrong")
        await eve.close()
        assert isinstance(answer, nio.ErrorResponse), answer

    async def they_choose_names(self):
        for person in (self.alice, self.bob):
            good(await person.nio.set_displayname(person.name.title()))
        assert good(await self.alice.nio.get_displayname(self.bob.id)).displayname == "Bob"

    async def alice_creates_a_room_and_invites_bob(self):
        await self.bob.sync()
        answer = await self.alice.nio.room_create(name="Kitchen", topic="What is for dinner", invite=[self.bob.id])
        self.room = good(answer).room_id
        await self.bob.until("the invitation", lambda: self.room in self.bob.nio.invited_rooms)
        invited = self.bob.nio.invited_rooms[self.room]
        assert invited.inviter == self.alice.id, invited.inviter
        assert invited.name == "Kitchen", invited.name

    async def bob_joins(self):
        good(await self.bob.nio.join(self.room))
        await self.bob.until("the room", lambda: self.room in self.bob.nio.rooms)
        await self.alice.until("bob", lambda: self.bob.id in self.members(self.alice))
        room = self.bob.nio.rooms[self.room]
        assert (room.name, room.topic) == ("Kitchen", "What is for dinner"), (room.name, room.topic)
        assert room.user_name(self.alice.id) == "Alice", room.user_name(self.alice.id)

    def members(self, person):
        room = person.nio.rooms.get(self.room)
        return room.users if room else {}

    async def they_talk(self):
        self.hello = await self.alice.say(self.room, "Hello Bob")
        event = await self.bob.sees(self.hello)
        assert (event.body, event.sender) == ("Hello Bob", self.alice.id)
        self.reply = await self.bob.say(self.room, "Hello Alice")
        assert (await self.alice.sees(self.reply)).body == "Hello Alice"

    async def bob_counts_what_he_has_not_read(self):
        room = self.bob.nio.rooms[self.room]
        good(await self.bob.nio.update_receipt_marker(self.room, self.reply))
        await self.bob.until("no unread message", lambda: room.unread_notifications == 0)
        await self.alice.say(self.room, "Are you there?")
        self.called = await self.alice.say(self.room, "Bob?", **{"m.mentions": {"user_ids": [self.bob.id]}})
        await self.bob.until("two unread messages", lambda: room.unread_notifications == 2)
        assert room.unread_highlights == 1, room.unread_highlights

    async def bob_reads_and_alice_sees_it(self):
        await self.alice.sync()
        room = self.bob.nio.rooms[self.room]
        good(await self.bob.nio.room_read_markers(self.room, self.called, self.called))
        await self.bob.until("no unread message", lambda: room.unread_notifications == 0)
        assert room.unread_highlights == 0, room.unread_highlights
        assert room.fully_read_marker == self.called, room.fully_read_marker
        receipts = self.alice.nio.rooms[self.room].read_receipts
        receipt = await self.alice.until("the receipt", lambda: receipts.get(self.bob.id))
        assert receipt.event_id == self.called, receipt

    async def alice_sees_bob_typing(self):
        room = self.alice.nio.rooms[self.room]
        good(await self.bob.nio.room_typing(self.room, True, timeout=20000))
        await self.alice.until("bob typing", lambda: room.typing_users == [self.bob.id])
        good(await self.bob.nio.room_typing(self.room, False))
        await self.alice.until("bob typing no more", lambda: room.typing_users == [])

    async def alice_sees_that_bob_is_away(self):
        good(await self.bob.nio.set_presence("unavailable", "cooking"))

        def away():
            event = self.alice.presence.get(self.bob.id)
            return event and event.presence == "unavailable"

        await self.alice.until("bob's presence", away)
        assert self.alice.presence[self.bob.id].status_msg == "cooking", self.alice.presence[self.bob.id]
        status = good(await self.alice.nio.get_presence(self.bob.id))
        assert (status.presence, status.status_msg) == ("unavailable", "cooking"), status

    async def alice_sends_a_picture(self):
        self.picture = png(640, 400)
        upload, _ = await self.alice.nio.upload(
            lambda *_: io.BytesIO(self.picture), "image/png", "dinner.png", filesize=len(self.picture)
        )
        self.mxc = good(upload).content_uri
        info = {"mimetype": "image/png", "w": 640, "h": 400, "size": len(self.picture)}
        content = {"msgtype": "m.image", "body": "dinner.png", "url": self.mxc, "info": info}
        self.shown = await self.alice.send(self.room, content)
        event = await self.bob.sees(self.shown)
        assert isinstance(event, nio.RoomMessageImage) and event.url == self.mxc, event

    async def bob_downloads_the_picture(self):
        answer = good(await self.bob.nio.download(self.mxc))
        assert answer.body == self.picture, "another picture came"
        assert (answer.content_type, answer.filename) == ("image/png", "dinner.png"), answer

    async def bob_sees_a_thumbnail(self):
        name, media = self.mxc.removeprefix("mxc://").split("/")
        answer = good(await self.bob.nio.thumbnail(name, media, 96, 96, ResizingMethod.crop))
        assert png_size(answer.body) == (96, 96), png_size(answer.body)
        answer = good(await self.bob.nio.thumbnail(name, media, 320, 240, ResizingMethod.scale))
        width, height = png_size(answer.body)
        assert width >= 320 and abs(width / height - 1.6) < 0.02, (width, height)

    async def alice_edits_what_she_said(self):
        relation = {"rel_type": "m.replace", "event_id": self.hello}
        new = {"msgtype": "m.text", "body": "Hello dear Bob"}
        edit = {"body": "* Hello dear Bob", "m.new_content": new, "m.relates_to": relation}
        self.edit = await self.alice.say(self.room, **edit)
        event = await self.bob.sees(self.edit)
        assert event.source["content"]["m.new_content"]["body"] == "Hello dear Bob", event.source
        original = good(await self.bob.nio.room_get_event(self.room, self.hello)).event
        bundled = original.source["unsigned"]["m.relations"]["m.replace"]
        assert bundled["event_id"] == self.edit, bundled

    async def bob_reacts(self):
        relation = {"rel_type": "m.annotation", "event_id": self.shown, "key": "\N{SPARKLES}"}
        self.reaction = await self.bob.send(self.room, {"m.relates_to": relation}, "m.reaction")
        event = await self.alice.sees(self.reaction)
        assert (event.reacts_to, event.key) == (self.shown, "\N{SPARKLES}"), event
        found = self.alice.nio.room_get_event_relations(self.room, self.shown, RelationshipType.annotation)
        assert [event.event_id async for event in found] == [self.reaction]

    async def bob_answers_in_a_thread(self):
        def relation(last):
            reply = {"event_id": last}
            return {"rel_type": "m.thread", "event_id": self.shown, "is_falling_back": True, "m.in_reply_to": reply}

        self.thread = [await self.bob.say(self.room, "Looks good", **{"m.relates_to": relation(self.shown)})]
        last = await self.alice.say(self.room, "And it is", **{"m.relates_to": relation(self.thread[0])})
        self.thread.append(last)
        for person in (self.alice, self.bob):
            for event in self.thread:
                await person.sees(event)
        found = self.alice.nio.room_get_event_relations(self.room, self.shown, RelationshipType.thread)
        assert [event.event_id async for event in found] == self.thread[::-1]
        roots = [event async for event in self.alice.nio.room_get_threads(self.room)]
        assert [event.event_id for event in roots] == [self.shown], roots
        summary = roots[0].source["unsigned"]["m.relations"]["m.thread"]
        assert (summary["count"], summary["latest_event"]["event_id"]) == (2, last), summary

    async def alice_takes_something_back(self):
        self.slip = await self.alice.say(self.room, "I burnt it")
        await self.bob.sees(self.slip)
        redaction = good(await self.alice.nio.room_redact(self.room, self.slip, "not true")).event_id
        event = await self.bob.sees(redaction)
        assert isinstance(event, nio.RedactionEvent) and event.redacts == self.slip, event
        event = good(await self.bob.nio.room_get_event(self.room, self.slip)).event
        assert isinstance(event, nio.RedactedEvent), event
        assert event.source["content"] == {}, event.source

    async def the_server_restarts_and_both_go_on(self):
        await self.alice.sync()
        await self.bob.sync()
        before = len(self.bob.seen)
        await asyncio.to_thread(self.server.restart)
        self.back = await self.alice.say(self.room, "The light was off for a moment")
        await self.bob.sees(self.back)
        assert [event.event_id for event in self.bob.seen[before:]] == [self.back], self.bob.seen[before:]

    async def bob_comes_back_and_misses_nothing(self):
        since = self.bob.nio.next_batch
        sent = [await self.alice.say(self.room, f"Step {n} of the recipe") for n in range(8)]
        await asyncio.to_thread(self.server.restart)
        sent += [await self.alice.say(self.room, f"Step {n} of the recipe") for n in range(8, 16)]
        answer = await self.bob.sync(sync_filter={"room": {"timeline": {"limit": 5}}})
        timeline = answer.rooms.join[self.room].timeline
        assert timeline.limited and [event.event_id for event in timeline.events] == sent[-5:], timeline
        gap, page = [], timeline.prev_batch
        while page:
            answer = good(await self.bob.nio.room_messages(self.room, page, since, limit=4))
            gap += answer.chunk
            page = answer.end
        assert [event.event_id for event in gap[::-1]] == sent[:-5], [event.source for event in gap]
        self.sent = sent

    async def bob_logs_in_elsewhere_and_finds_everything(self):
        self.phone = Person(self.server, self.bob.id)
        good(await self.phone.nio.login(PASSWORD, device_name="phone"))
        answer = await self.phone.sync(full_state=True)
        room = self.phone.nio.rooms[self.room]
        assert (room.name, set(room.users)) == ("Kitchen", {self.alice.id, self.bob.id}), (room.name, room.users)
        assert room.user_name(self.alice.id) == "Alice", room.user_name(self.alice.id)
        events, page = [], answer.rooms.join[self.room].timeline.prev_batch
        while page:
            answer = good(await self.phone.nio.room_messages(self.room, page, limit=10))
            events += answer.chunk
            page = answer.end
        history = {event.event_id: event for event in reversed(events)}
        history.update((event.event_id, event) for event in self.phone.seen)
        said = [self.hello, self.reply, self.called, self.shown, self.edit, self.reaction, *self.thread, self.slip]
        said += [self.back, *self.sent]
        missing = [event for event in said if event not in history]
        assert not missing, missing
        assert [event for event in history if event in said] == said, "another order"
        assert isinstance(history[self.slip], nio.RedactedEvent), history[self.slip]
        assert history[self.shown].source["unsigned"]["m.relations"]["m.thread"]["count"] == 2, history[self.shown].source
        assert good(await self.phone.nio.download(self.mxc)).body == self.picture

    async def bob_leaves(self):
        good(await self.bob.nio.room_leave(self.room))
        await self.alice.until("that bob left", lambda: self.bob.id not in self.members(self.alice))
        await self.bob.until("that he left", lambda: self.room in self.bob.left)
        assert good(await self.bob.nio.joined_rooms()).rooms == []
        answer = await self.bob.nio.room_send(self.room, "m.room.message", {"msgtype": "m.text", "body": "psst"})
        assert answer.status_code == "M_FORBIDDEN", answer

    async def bob_logs_out(self):
        good(await self.bob.nio.logout())
        good(await self.phone.nio.whoami())


STEPS = [step for name, step in vars(Conversation).items() if "_" in name.strip("_")]


async def main(binary):
    server = Server(binary)
    conversation = Conversation(server)
    failed = 0
    for step in STEPS:
        try:
            await asyncio.wait_for(step(conversation), 90)
            print(f"ok    {step.__name__.replace('_', ' ')}", flush=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the step failed
            failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAIL  {step.__name__.replace('_', ' ')}\n      {type(error).__name__}: {error} (line {where.lineno})")
    await conversation.end()
    if failed:
        print("--- log of the server:", server.tail(), sep="\n")
    server.remove()
    print(f"matrix-nio: {len(STEPS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
