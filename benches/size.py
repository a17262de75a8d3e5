"""Memory, disk, and the time to start."""

import time
from statistics import median

from client import register_many
from growth import owner

ROOMS, EVENTS = 100, 100_000
BUDGET_MB = 256


def idle_memory(server, report):
    server.start()
    time.sleep(3)
    report.at_most("memory of a fresh idle server (PSS)", server.pss(), 60, "MB")


def filled(server, report):
    """100 rooms with 100,000 messages: memory, start after kill -9 and after a clean stop, disk."""
    server.start()
    fill(server)
    report.at_most(f"memory after {EVENTS} events (PSS)", server.pss(), BUDGET_MB + 100, "MB", f"budget {BUDGET_MB} MB")
    kills = []
    for _ in range(3):
        server.kill()
        kills.append(server.start() * 1000)
        some(server)
    report.at_most("start after kill -9, to the first answer", max(kills), 1000, "ms", "the longest of 3")
    stops = [server.stop()]
    starts = []
    for _ in range(5):
        starts.append(server.start() * 1000)
        stops.append(server.stop())
    report.at_most("start after a clean stop, to the first answer", median(starts), 300, "ms")
    report.info("a clean stop", f"{median(stops) * 1000:.0f} ms")
    compacted = server.compact()
    per_message = server.disk() / server.messages
    note = "compacted" if compacted else "without compaction: the server has no command for it"
    report.at_most("disk per plain text message", per_message, 1500, "B", note)


def fill(server):
    begun = time.monotonic()
    clients = register_many(server.address, [f"f{n}" for n in range(ROOMS)])
    rooms = [client.create_room(name=f"Room {n}") for n, client in enumerate(clients)]
    for n in range(EVENTS // ROOMS):
        for client, room in zip(clients, rooms):
            client.write_text(room, f"message {n} of a few words, as people write them to each other")
        for client in clients:
            client.answer("send")
    for client in clients:
        client.hang_up()
    server.writers = list(zip(clients, rooms))
    server.messages = EVENTS
    took = time.monotonic() - begun
    print(f"    {EVENTS} messages in {took:.0f} s: {EVENTS / took:.0f} per second with {ROOMS} senders", flush=True)


def some(server):
    """A little more, so that there is a log to replay."""
    for client, room in server.writers[:50]:
        for n in range(20):
            client.send_text(room, f"one more message, {n}")
            server.messages += 1
        client.hang_up()
