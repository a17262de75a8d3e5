"""Two binaries in turns: how fast a machine is changes within minutes, how two binaries compare does not."""

import time

from cost import TEXT, Cost
from report import Report
from server import Server

ROUNDS = 40
"""How often each binary has its turn."""
WARM = 6
"""Turns before those that count."""
TIMES = 20
"""Operations of a turn."""


class Arm:
    """One binary with a room of ten: the owner sends, the nine others wait for it."""

    def __init__(self, binary, directory):
        self.binary = binary
        self.server = Server(binary, base=directory)
        self.server.start()
        self.owner, (self.room, self.receivers) = self._room()
        self.since = [client.sync()["next_batch"] for client in self.receivers]
        self.sends, self.rounds = 0.0, 0.0

    def _room(self):
        cost = Cost(self.server, Report())
        return cost.owner, cost.room(10)

    def turn(self, counts):
        sends, rounds = self._spent(self._send), self._spent(self._deliver)
        if counts:
            self.sends += sends
            self.rounds += rounds

    def _spent(self, operation):
        before = self.server.cpu()
        for _ in range(TIMES):
            operation()
        return self.server.cpu() - before

    def _send(self):
        self.owner.send_text(self.room, TEXT)

    def _deliver(self):
        for client, token in zip(self.receivers, self.since):
            client.write_sync(token, timeout=30000)
        time.sleep(0.002)
        self._send()
        self.since = [client.answer("sync")["next_batch"] for client in self.receivers]

    def figures(self):
        """Milliseconds of CPU for a send, and for a receiver of one."""
        times = ROUNDS * TIMES
        return self.sends / times, (self.rounds - self.sends) / times / len(self.receivers)


def compare(binaries, directory):
    """Prints what a send and a delivery cost with each of `binaries`, and the ratio to the first."""
    arms = []
    try:
        for binary in binaries:
            arms.append(Arm(binary, directory))
        for n in range(WARM + ROUNDS):
            for arm in arms if n % 2 else reversed(arms):
                arm.turn(counts=n >= WARM)
        first = arms[0].figures()
        for arm in arms:
            send, delivery = arm.figures()
            print(f"{arm.binary}: send {send:.3f} ms CPU ({send / first[0]:.2f}x), ", end="")
            print(f"delivery per receiver {delivery:.3f} ms CPU ({delivery / first[1]:.2f}x)")
    finally:
        for arm in arms:
            arm.server.remove()
