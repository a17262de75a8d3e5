"""One server is away for a while and comes back: what was said meanwhile arrives, all of it, once, in order."""

import threading

from person import Refused, eventually

COUNT = 20


class Outages:
    """All rooms that got this far, and the two servers."""

    def __init__(self, rooms, servers):
        self.rooms = rooms
        self.servers = servers
        self.round = 0

    def speakers(self, server):
        """For each room who speaks on `server`, and who listens on the other one."""
        for room in self.rooms:
            here, there = (room.owner, room.guest) if room.owner.server is server else (room.guest, room.owner)
            yield room, here, there

    def prefix(self):
        self.round += 1
        return f"round {self.round} number "

    def arrive(self, server, prefix, bodies):
        """What was said on `server` is in the other one's history; `bodies` are by room."""
        wrong = []
        for room, _, listener in self.speakers(server):
            expected = bodies[room.label]
            try:
                eventually("all is there", lambda: set(expected) <= set(listener.said(room.id, prefix)))
            except AssertionError:
                pass
            found = listener.said(room.id, prefix)
            if found != expected:
                lost = sum(body not in found for body in expected)
                doubled = len(found) - len(set(found))
                order = "" if lost or doubled else ", in another order"
                wrong.append(f"{room.label}: {lost} of {len(expected)} lost, {doubled} doubled{order}")
        assert not wrong, "; ".join(wrong)

    def say_everywhere(self, server, prefix, count=COUNT):
        bodies = {room.label: [f"{prefix}{n}" for n in range(count)] for room in self.rooms}
        for n in range(count):
            for room, speaker, _ in self.speakers(server):
                speaker.say(room.id, f"{prefix}{n}")
        return bodies


def stopped_and_started(outages, down, up):
    prefix = outages.prefix()
    down.stop()
    bodies = outages.say_everywhere(up, prefix)
    for room, speaker, _ in outages.speakers(up):
        speaker.set(room.id, "org.example.test", {"round": prefix})
    down.start()
    outages.arrive(up, prefix, bodies)
    for room, _, listener in outages.speakers(up):
        eventually("the state", lambda: listener.read(room.id, "org.example.test") == {"round": prefix})


def sender_is_restarted_meanwhile(outages, down, up):
    """What waits for the other server outlives the process that it waits in."""
    prefix = outages.prefix()
    down.stop()
    bodies = outages.say_everywhere(up, prefix)
    up.stop()
    up.start()
    down.start()
    outages.arrive(up, prefix, bodies)


def receiver_is_killed(outages, down, up):
    """kill -9 while messages are streaming in."""
    prefix = outages.prefix()
    half = threading.Event()
    said = {room.label: [] for room in outages.rooms}

    def talk():
        for n in range(COUNT):
            if n == COUNT // 2:
                half.set()
            for room, speaker, _ in outages.speakers(up):
                speaker.say(room.id, f"{prefix}{n}")
                said[room.label].append(f"{prefix}{n}")

    talker = threading.Thread(target=talk)
    talker.start()
    half.wait(120)
    down.kill()
    talker.join()
    down.start()
    outages.arrive(up, prefix, said)


def sender_is_killed(outages, down, up):
    """kill -9 while messages are streaming out. What was acknowledged arrives; what was not may."""
    prefix = outages.prefix()
    half = threading.Event()
    said = {room.label: [] for room in outages.rooms}
    asked = {}

    def talk():
        for n in range(COUNT):
            if n == COUNT // 2:
                half.set()
            for room, speaker, _ in outages.speakers(up):
                asked[room.label] = f"{prefix}{n}"
                try:
                    speaker.say(room.id, f"{prefix}{n}")
                except (Refused, OSError):
                    return
                said[room.label].append(f"{prefix}{n}")

    talker = threading.Thread(target=talk)
    talker.start()
    half.wait(120)
    up.kill()
    talker.join()
    up.start()
    for room, speaker, _ in outages.speakers(up):
        # What its own server has of it is the truth, and holds all that was acknowledged.
        kept = speaker.said(room.id, prefix)
        assert kept[: len(said[room.label])] == said[room.label], f"{room.label}: acknowledged, but lost"
        speaker.say(room.id, f"{prefix}after")
        said[room.label] = [*kept, f"{prefix}after"]
    outages.arrive(up, prefix, said)


def life_goes_on(outages, down, up):
    """Both talk, and each sees the other's words by /sync."""
    for room, speaker, listener in outages.speakers(up):
        event_id = speaker.say(room.id, "still there?")
        listener.sees(room.id, event_id)
        event_id = listener.say(room.id, "yes")
        speaker.sees(room.id, event_id)


STEPS = [stopped_and_started, sender_is_restarted_meanwhile, receiver_is_killed, sender_is_killed, life_goes_on]
