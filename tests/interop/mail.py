"""Messages to devices of the other server, while servers are killed: what was acknowledged comes once and in order."""

import http.client
import threading
import time

from person import Refused, eventually, path

KIND = "org.example.mail"
COUNT = 200


def post(person, to, round_, number):
    """Sends one message as a client does: again with the same transaction id until it is acknowledged."""
    body = {"messages": {to: {"*": {"round": round_, "number": number}}}}
    where = "v3/sendToDevice/" + path(KIND, f"{round_}-{number}")
    end = time.monotonic() + 120
    while True:
        try:
            return person.call("PUT", where, body)
        except (OSError, http.client.HTTPException):
            assert time.monotonic() < end, "the server is away for too long"
            time.sleep(0.05)


def receive(person, done):
    """Syncs, also while the server dies over it, until `done` is set."""
    while not done.is_set():
        try:
            person.sync(timeout=500)
        except (OSError, http.client.HTTPException, Refused):
            time.sleep(0.05)


def got(person, round_):
    contents = [event["content"] for event in person.to_device if event["type"] == KIND]
    return [content["number"] for content in contents if content["round"] == round_]


def exchange(pair, round_, strike):
    """Alice sends, Bob syncs, and `strike` happens when half is sent."""
    pair.bob.sync()
    done, half = threading.Event(), threading.Event()
    failures = []

    def send():
        try:
            for number in range(COUNT):
                if number == COUNT // 2:
                    half.set()
                post(pair.alice, pair.bob.id, round_, number)
        except Exception as error:
            failures.append(error)
            half.set()

    threads = [threading.Thread(target=send), threading.Thread(target=receive, args=(pair.bob, done))]
    for thread in threads:
        thread.start()
    half.wait(120)
    strike()
    threads[0].join()
    try:
        assert not failures, failures[0]
        eventually("the last one", lambda: COUNT - 1 in got(pair.bob, round_))
    finally:
        done.set()
        threads[1].join()
    # Nothing comes a second time.
    pair.bob.sync(timeout=1000)
    found = got(pair.bob, round_)
    lost, doubled = len(set(range(COUNT)) - set(found)), len(found) - len(set(found))
    assert found == list(range(COUNT)), f"{lost} lost, {doubled} doubled of {COUNT}: {found}"


def struck(server):
    def strike():
        server.kill()
        time.sleep(0.5)
        server.start()

    return strike


def messages_to_devices_outlive_that_the_receivers_server_is_killed(pair):
    exchange(pair, "receiver", struck(pair.receiver))


def messages_to_devices_outlive_that_the_senders_server_is_killed(pair):
    exchange(pair, "sender", struck(pair.sender))


def messages_to_devices_come_once_though_the_answers_are_lost(pair):
    def strike():
        before = len(pair.sent())
        pair.proxy.mode = "mute"
        pair.proxy.wait("a transaction", lambda all: len(all) > before)
        pair.receiver.kill()
        pair.proxy.mode = "pass"
        pair.receiver.start()

    exchange(pair, "mute", strike)


STEPS = [
    messages_to_devices_outlive_that_the_receivers_server_is_killed,
    messages_to_devices_outlive_that_the_senders_server_is_killed,
    messages_to_devices_come_once_though_the_answers_are_lost,
]
