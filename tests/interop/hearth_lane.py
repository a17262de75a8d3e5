"""Two Hearths: what one has said reaches the other whatever happens to either of them.

    python hearth_lane.py HEARTH_BINARY [--keep]

A proxy under the name of each server writes down the transactions. Prints "N passed, M failed".
"""

import json
import sys
import threading

import lane
import mail
from person import Person, eventually
from proxy import Proxy
from servers import Hearth

ROOMS = 4
EVENTS = 1000


def behind_proxy(world, label, binary):
    port = world.port()
    server = Hearth(world, label, binary, federation_port=port).start()
    return server, Proxy(port, server.client_port, server.certificate, server.key)


class Pair:
    """Alice's server sends, Bob's receives; both are in some rooms."""

    def __init__(self, world, binary):
        self.sender, self.back = behind_proxy(world, "sender", binary)
        self.receiver, self.proxy = behind_proxy(world, "receiver", binary)
        self.alice, self.bob = Person(self.sender, "alice"), Person(self.receiver, "bob")
        # Everybody may change the state, so that both can at the same time.
        everybody = {"state_default": 0}
        create = {"preset": "public_chat", "power_level_content_override": everybody}
        self.rooms = [self.alice.create("12", **create) for _ in range(ROOMS)]
        for room in self.rooms:
            self.bob.join(room, via=self.sender.name)

    def say(self, prefix, count):
        """Says as much in each room, in all at the same time."""
        failures = []

        def talk(room):
            try:
                for n in range(count):
                    self.alice.say(room, f"{prefix}{n}")
            except Exception as error:
                failures.append(error)

        talkers = [threading.Thread(target=talk, args=(room,)) for room in self.rooms]
        for talker in talkers:
            talker.start()
        for talker in talkers:
            talker.join()
        assert not failures, failures[0]

    def arrived(self, prefix, count):
        """All of it is there, once, in order."""
        expected = [f"{prefix}{n}" for n in range(count)]
        for room in self.rooms:
            try:
                eventually("the last message", lambda: expected[-1] in self.bob.said(room, prefix))
            finally:
                found = self.bob.said(room, prefix)
                assert found == expected, f"{len(set(expected) - set(found))} lost, {len(found) - len(set(found))} doubled"

    def sent(self, since=0):
        return self.proxy.transactions[since:]


def a_server_that_was_down_for_a_thousand_events_gets_all_in_order(pair):
    pair.receiver.stop()
    pair.say("down ", EVENTS // ROOMS // 2)
    pair.sender.stop()
    pair.sender.start()
    each = EVENTS // ROOMS // 2
    pair.say("later ", each)
    pair.receiver.start()
    pair.arrived("down ", each)
    pair.arrived("later ", each)


def a_transaction_in_flight_when_the_sender_is_killed_is_sent_again_unchanged(pair):
    before = len(pair.sent())
    pair.proxy.mode = "hold"
    pair.say("held ", 5)
    pair.proxy.wait("a transaction", lambda all: len(all) > before)
    pair.sender.kill()
    pair.proxy.mode = "pass"
    pair.sender.start()
    pair.arrived("held ", 5)
    (path, digest, body, mode), *later = pair.sent(before)
    assert mode == "hold"
    again = [(path, digest) for path, digest, _, mode in later if mode == "pass"]
    assert again[0] == (path, digest), f"{path} came first, then {again[0][0]}"
    assert json.loads(body)["pdus"]


def a_transaction_whose_answer_was_lost_is_sent_again_and_taken_in_once(pair):
    before = len(pair.sent())
    pair.proxy.mode = "mute"
    pair.say("mute ", 5)
    pair.proxy.wait("a transaction", lambda all: len(all) > before)
    eventually("the receiver has it", lambda: any(pair.bob.said(room, "mute ") for room in pair.rooms))
    pair.proxy.mode = "pass"
    pair.arrived("mute ", 5)
    (path, digest, _, _), *later = pair.sent(before)
    passed = [(path, digest) for path, digest, _, mode in later if mode == "pass"]
    assert passed[0] == (path, digest), f"{path} came first, then {passed[0][0]}"


def the_receiver_is_killed_while_it_takes_in(pair):
    before = len(pair.sent())
    talker = threading.Thread(target=pair.say, args=("struck ", 40))
    talker.start()
    pair.proxy.wait("some transactions", lambda all: len(all) >= before + 3)
    pair.receiver.kill()
    talker.join()
    pair.receiver.start()
    pair.arrived("struck ", 40)


def both_go_on_while_they_cannot_reach_each_other_and_agree_afterwards(pair):
    """Each room splits in two; the halves hold other messages and other state, which has to be resolved."""
    pair.back.mode = pair.proxy.mode = "cut"
    sides = ((pair.alice, "here "), (pair.bob, "there "))
    expected = {prefix: [f"{prefix}{n}" for n in range(30)] for _, prefix in sides}
    for room in pair.rooms:
        for person, prefix in sides:
            for body in expected[prefix]:
                person.say(room, body)
            person.set(room, f"org.example.{prefix.strip()}", {"by": prefix})
            person.set(room, "org.example.both", {"by": prefix})
    assert not any(pair.bob.said(room, "here ") + pair.alice.said(room, "there ") for room in pair.rooms)
    pair.back.mode = pair.proxy.mode = "pass"
    for person, _ in sides:
        # A word after the silence brings the halves together.
        for room in pair.rooms:
            person.say(room, "back again")
    for room in pair.rooms:
        for person, _ in sides:
            for _, prefix in sides:
                eventually(f"all of {prefix}", lambda: set(expected[prefix]) <= set(person.said(room, prefix)))
                assert person.said(room, prefix) == expected[prefix], person.said(room, prefix)
        eventually("one state on both sides", lambda: pair.alice.whole_state(room) == pair.bob.whole_state(room))
        assert pair.alice.read(room, "org.example.both") == pair.bob.read(room, "org.example.both")


def nothing_was_sent_under_two_ids_or_changed_under_one(pair):
    """Over all that happened: an id has one content, and an event is in one transaction."""
    contents, homes = {}, {}
    for path, digest, body, _ in pair.sent():
        assert contents.setdefault(path, digest) == digest, f"{path} has changed"
        for pdu in json.loads(body)["pdus"]:
            name = json.dumps(pdu, sort_keys=True)
            assert homes.setdefault(name, path) == path, f"an event is in {path} and {homes[name]}"
        assert len(json.loads(body)["pdus"]) <= 50
    assert len(homes) >= EVENTS


STEPS = [
    a_server_that_was_down_for_a_thousand_events_gets_all_in_order,
    a_transaction_in_flight_when_the_sender_is_killed_is_sent_again_unchanged,
    a_transaction_whose_answer_was_lost_is_sent_again_and_taken_in_once,
    the_receiver_is_killed_while_it_takes_in,
    *mail.STEPS,
    both_go_on_while_they_cannot_reach_each_other_and_agree_afterwards,
    nothing_was_sent_under_two_ids_or_changed_under_one,
]


def converse(world, options):
    return lane.go_through(STEPS, "Two Hearths", Pair(world, options.binary))


if __name__ == "__main__":
    sys.exit(lane.run(converse))
