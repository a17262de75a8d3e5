"""What must not grow: the cost of a send with the room, of a sync with the account's rooms; and fsyncs, which are
counted."""

import time
from statistics import median

from client import Wire, join_many, register, register_many
from cost import TEXT
from server import fsync_ms


def owner(server, name):
    return register(Wire(server.address), name)


def big_room(server, report, members=10_000):
    """A send into a room of 10,000 local members against one into a room of 10."""
    server.start(durability="os")
    sender = owner(server, "sender")
    small, big = (sender.create_room(preset="public_chat", name="Bench") for _ in range(2))
    begun = time.monotonic()
    clients = register_many(server.address, [f"m{n}" for n in range(members - 1)], lanes=32)
    join_many(clients[:9], small)
    join_many(clients, big, lanes=32)
    print(f"    {members} members after {time.monotonic() - begun:.0f} s", flush=True)
    server.stop()
    server.start(durability="fsync")
    sender.hang_up()
    cost = {small: [], big: []}
    logged = {small: [], big: []}
    written = {small: [], big: []}
    for batch in range(10):
        for room in (small, big):
            before = server.metric("hearth_kv_bytes_total"), server.written(), server.cpu()
            for _ in range(60):
                sender.send_text(room, TEXT)
            used = server.cpu() - before[2]
            if batch:  # the first fills caches
                cost[room].append(used / 60)
                written[room].append((server.written() - before[1]) / 60)
                logged[room].append((server.metric("hearth_kv_bytes_total") - before[0]) / 60)
    title = f"send into {members} / into 10:"
    for what, seen, unit in ("CPU", cost, "ms"), ("bytes logged", logged, "B"), ("bytes written", written, "B"):
        high, low = median(seen[big]), median(seen[small])
        report.at_most(f"{title} {what}", high / low, 1.3, "x", f"{high:.3g} {unit} / {low:.3g} {unit}")


def many_rooms(server, report, rooms=2_000):
    """An incremental sync with one change for an account in 2,000 rooms against one in 20."""
    server.start(durability="os")
    many, few, sender = (owner(server, name) for name in ("many", "few", "sender"))
    shared = []
    begun = time.monotonic()
    for n in range(rooms):
        room = many.create_room(preset="public_chat", name=f"Room {n}")
        if n % (rooms // 20) == 0:
            shared.append(room)
            few.join(room)
            sender.join(room)
    print(f"    {rooms} rooms after {time.monotonic() - begun:.0f} s", flush=True)
    costs = {many: [], few: []}
    since = {client: client.sync()["next_batch"] for client in costs}
    for turn in range(120):
        sender.send_text(shared[turn % 20], TEXT)
        for client in costs:
            time.sleep(0.003)
            before = server.cpu()
            answer = client.sync(since[client])
            costs[client].append(server.cpu() - before)
            since[client] = answer["next_batch"]
            changed = answer["rooms"]["join"]
            assert list(changed) == [shared[turn % 20]], f"not one change, but {list(changed)}"
    high, low = median(costs[many]), median(costs[few])
    report.at_most(f"sync with a change: {rooms} rooms / 20", high / low, 1.5, "x", f"{high:.3g} ms / {low:.3g} ms")


def fsyncs(server, report):
    """Fsyncs per operation, alone and together."""
    server.start()
    alone = owner(server, "alone")
    room = alone.create_room(preset="public_chat")

    def counted(operation):
        before = server.metric("hearth_kv_fsyncs_total")
        operation()
        time.sleep(0.02)  # what follows the answer counts too
        return server.metric("hearth_kv_fsyncs_total") - before

    alone.send_text(room, TEXT)
    report.exactly("fsyncs of one send", [counted(lambda: alone.send_text(room, TEXT)) for _ in range(30)], 1)
    report.exactly("fsyncs of createRoom", [counted(lambda: alone.create_room(name="Bench")) for _ in range(15)], 1)

    probe = fsync_ms(server.directory)
    took = []
    for _ in range(60):
        begun = time.monotonic()
        alone.send_text(room, TEXT)
        took.append((time.monotonic() - begun) * 1000)
    report.info("latency of one send", f"{median(took):.2f} ms, an fsync takes {probe:.2f} ms ({median(took) / probe:.1f}x)")

    clients = register_many(server.address, [f"c{n}" for n in range(64)])
    join_many(clients, room)
    own = [client.create_room() for client in clients]
    for title, rooms in ("64 rooms", own), ("one room", [room] * 64):
        together(clients, rooms, 2)
        before = server.metric("hearth_kv_fsyncs_total")
        took = together(clients, rooms, 20)
        ratio = (server.metric("hearth_kv_fsyncs_total") - before) / (64 * 20)
        note = f"1 per {1 / ratio:.0f} sends; median latency {took:.1f} ms ({took / probe:.1f} fsyncs)"
        report.at_most(f"fsyncs per send, 64 senders in {title}", ratio, 1 / 8, "", note)


def together(clients, rooms, rounds):
    """All clients send at once, again and again; the median milliseconds until the last of a round was answered."""
    took = []
    for _ in range(rounds):
        begun = time.monotonic()
        for client, room in zip(clients, rooms):
            client.write_text(room, TEXT)
        for client in clients:
            client.answer("send")
        took.append((time.monotonic() - begun) * 1000)
    return median(took)
