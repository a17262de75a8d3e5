"""CPU time of the server per operation, against Synapse 1.163 on SQLite on the same kind of machine (the lower end where
it varies): a fortieth; idle sync and members a twentieth; upload a quarter."""

import os
import time
from statistics import median

from client import CLIENT, Wire, join_many, quote, register, register_many
from report import in_batches

SYNAPSE_MS = {
    "send10": 16.0,
    "deliver": 7.4,
    "create": 101.0,
    "join": 38.0,
    "first": 410.0,
    "again": 277.0,
    "idle": 2.8,
    "page": 68.0,
    "send251": 51.0,
    "members": 8.3,
    "upload": 6.0,
}
TEXT = "a message of a few words, as people write them"
SHARE = {"idle": 20, "members": 20, "upload": 4}


class Cost:
    """The figures, each a function that fills what it needs and returns milliseconds."""

    def __init__(self, server, report):
        self.server = server
        self.report = report
        self.owner = register(Wire(server.address), "owner")
        self.count = 0

    def run(self, synapse):
        """Measures the figures that `synapse` has, in milliseconds of CPU, against them."""
        for name, theirs in synapse.items():
            value = getattr(self, name)()
            target = theirs / SHARE.get(name, 40)
            self.report.at_most(TITLES[name], value, target, "ms CPU", f"Synapse {theirs:.3g}")

    def accounts(self, count):
        self.count += 1
        return register_many(self.server.address, [f"u{self.count}n{n}" for n in range(count)])

    def room(self, members, messages=0):
        room = self.owner.create_room(preset="public_chat", name="Bench")
        clients = self.accounts(members - 1)
        join_many(clients, room)
        for n in range(messages):
            self.owner.send_text(room, f"message {n} of a few words, as people write them")
        return room, clients

    def sends(self, room, batches=9, size=60):
        def batch():
            while True:
                yield [lambda: self.owner.send_text(room, TEXT)] * size

        for operation in next(batch()):
            operation()
        return in_batches(self.server, batches, batch())

    def send10(self):
        return self.sends(self.room(10)[0])

    def send251(self):
        return self.sends(self.room(251)[0])

    def deliver(self):
        """Nine receivers, each with a long poll open: what a round costs more than its send after the same pause, which
        costs up to twice as much as one of many in a row."""
        room, receivers = self.room(10)
        alone = self.paused_send(room)
        since = [client.sync()["next_batch"] for client in receivers]
        costs = []
        for _ in range(60):
            for client, token in zip(receivers, since):
                client.write_sync(token, timeout=30000)
            time.sleep(0.02)
            before = self.server.cpu()
            self.owner.send_text(room, TEXT)
            since = [client.answer("sync")["next_batch"] for client in receivers]
            sent = self.server.cpu()
            costs.append(sent - before)
        # What opening the polls cost belongs to the delivery too.
        opening = []
        for _ in range(20):
            before = self.server.cpu()
            for client, token in zip(receivers, since):
                client.write_sync(token, timeout=30000)
            time.sleep(0.03)
            opening.append(self.server.cpu() - before)
            self.owner.send_text(room, "next")
            since = [client.answer("sync")["next_batch"] for client in receivers]
        return (median(costs) + median(opening) - alone) / len(receivers)

    def paused_send(self, room):
        costs = []
        for _ in range(60):
            time.sleep(0.02)
            before = self.server.cpu()
            self.owner.send_text(room, TEXT)
            costs.append(self.server.cpu() - before)
        return median(costs)

    def create(self):
        def batches():
            while True:
                yield [lambda: self.owner.create_room(preset="private_chat", name="Bench", topic="Speed")] * 10

        return in_batches(self.server, 10, batches())

    def join(self):
        clients = self.accounts(20)
        rooms = [self.owner.create_room(preset="public_chat", name="Bench") for _ in range(9)]
        for client in clients:
            client.get(f"{CLIENT}/account/whoami")
        batches = ([lambda c=client, r=room: c.join(r) for client in clients] for room in rooms)
        return in_batches(self.server, len(rooms), batches)

    def rooms30(self):
        """Ten accounts in thirty rooms with twenty messages each."""
        if not hasattr(self, "_rooms30"):
            clients = self.accounts(10)
            for n in range(30):
                room = self.owner.create_room(preset="public_chat", name=f"Room {n}", topic="One of thirty")
                for client in clients:
                    client.join(room)
                for m in range(20):
                    clients[m % 10].send_text(room, f"message {m} of a few words, as people write them")
            self._rooms30 = clients
        return self._rooms30

    def first(self):
        clients = self.rooms30()
        return in_batches(self.server, len(clients), ([client.sync] for client in clients))

    def again(self):
        clients = self.rooms30()
        for client in clients:
            client.sync()
        return in_batches(self.server, 30, ([client.sync] for client in clients * 3))

    def idle(self):
        client = self.rooms30()[0]
        since = client.sync()["next_batch"]
        since = client.sync(since)["next_batch"]
        return in_batches(self.server, 9, ([lambda: client.sync(since)] * 100 for _ in range(9)))

    def page(self):
        room, _ = self.room(10, messages=250)
        path = f"{CLIENT}/rooms/{quote(room)}/messages?dir=b&limit=100"
        assert len(self.owner.get(path)["chunk"]) == 100
        return in_batches(self.server, 9, ([lambda: self.owner.get(path)] * 20 for _ in range(9)))

    def members(self):
        room, _ = self.room(251)
        path = f"{CLIENT}/rooms/{quote(room)}/members"
        assert len(self.owner.get(path)["chunk"]) == 251
        return in_batches(self.server, 9, ([lambda: self.owner.get(path)] * 20 for _ in range(9)))

    def upload(self):
        files = [os.urandom(1 << 20) for _ in range(45)]
        for data in files[:5]:
            self.owner.upload(data)
        batches = ([lambda d=data: self.owner.upload(d)] for data in files[5:])
        return in_batches(self.server, 40, batches)


TITLES = {
    "send10": "send into a room of 10",
    "deliver": "delivery by long-polling sync, per receiver",
    "create": "create a room",
    "join": "join",
    "first": "first /sync of an account in 30 rooms",
    "again": "the same again",
    "idle": "idle incremental /sync",
    "page": "page of 100 messages",
    "send251": "send into a room of 251",
    "members": "/members of 251",
    "upload": "upload of 1 MiB",
}
