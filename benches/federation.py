"""What other servers send, and joining a large room through another server."""

import time
from pathlib import Path
from urllib.parse import quote

from client import CLIENT, Wire, register
from remote import FEDERATION, Remote
from server import Server, free_port

PDUS = 50


def federating(server):
    """Starts a server that others reach; its name says where."""
    port = free_port()
    server.start(name=f"127.0.0.1:{port}", federation_port=port)
    return f"127.0.0.1:{port}"


def federated(server, report, rooms=20, transactions=200):
    """Messages of another server: transactions of 50 PDUs in 20 rooms, signed before the clock starts."""
    name = federating(server)
    remote = Remote(server.directory, free_port())
    alice = register(Wire(server.address), "alice")
    ids = [alice.create_room(preset="public_chat", room_version="11") for _ in range(rooms)]
    user = f"@bench:{remote.name}"
    chains = [remote.join(server.address, name, room, user) for room in ids]
    requests = []
    for number in range(transactions):
        pdus = [chains[n % rooms].text(f"message {number} {n}") for n in range(PDUS)]
        content = {"origin": remote.name, "origin_server_ts": int(time.time() * 1000), "pdus": pdus, "edus": []}
        requests.append(remote.request(name, "PUT", f"{FEDERATION}/v1/send/{number}", content))
    wire = Wire(server.address)
    cpu, own, begun = server.cpu(), time.process_time(), time.monotonic()
    for request in requests:
        wire.socket.sendall(request)
        answer = wire.answer("send")
        errors = [result for result in answer["pdus"].values() if result.get("error")]
        assert not errors, errors[0]
    took = time.monotonic() - begun
    events = transactions * PDUS
    used, own = server.cpu() - cpu, (time.process_time() - own) * 1000
    note = f"CPU {used / events:.3g} ms each; generator {own / events:.3g} ms each"
    report.at_least("federated messages taken in", events / took, 2000, "/s", note)
    chunk = alice.get(f"{CLIENT}/rooms/{quote(ids[0])}/messages?dir=b&limit=1")["chunk"]
    last = max(n for n in range(PDUS) if n % rooms == 0)
    assert chunk[0]["content"]["body"] == f"message {transactions - 1} {last}", chunk


def big_join(server, report, members=5_000, state=10_000):
    """Joining a room of 5,000 members and 10,000 state events through another Hearth."""
    name = federating(server)
    remote = Remote(server.directory, free_port())
    alice = register(Wire(server.address), "alice")
    user = f"@bench:{remote.name}"
    levels = {"users": {alice.user: 100, user: 50}}
    room = alice.create_room(preset="public_chat", room_version="11", power_level_content_override=levels)
    chain = remote.join(server.address, name, room, user)
    pdus = [chain.member(f"@u{n}:{remote.name}") for n in range(members - 2)]
    pdus += [chain.state(str(n)) for n in range(state - members - 10)]
    wire = Wire(server.address)
    for start in range(0, len(pdus), PDUS):
        content = {"origin": remote.name, "origin_server_ts": 1, "pdus": pdus[start : start + PDUS], "edus": []}
        answer = remote.call(wire, name, "PUT", f"{FEDERATION}/v1/send/{start}", content)
        errors = [result for result in answer["pdus"].values() if result.get("error")]
        assert not errors, errors[0]
    other = Server(server.binary, base=server.directory.parent)
    try:
        federating(other)
        bob = register(Wire(other.address), "bob")
        begun, before, mine = time.monotonic(), other.cpu(), server.cpu()
        bob.post(f"{CLIENT}/join/{quote(room)}?via={name}", {})
        took = time.monotonic() - begun
        note = f"CPU {other.cpu() - before:.0f} ms joining, {server.cpu() - mine:.0f} ms serving"
        report.at_most(f"join of {members} members, {state} state events", took, 5.0, "s", note)
        joined = bob.get(f"{CLIENT}/rooms/{quote(room)}/joined_members")["joined"]
        assert len(joined) == members + 1, len(joined)
    except Exception:
        print(Path(other.directory / "log").read_text()[-1500:])
        raise
    finally:
        other.remove()


__all__ = ["big_join", "federated"]
