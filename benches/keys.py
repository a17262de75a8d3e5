"""What encryption asks of the server: one-time keys claimed by many at once, and the keys of many users."""

import base64
import hashlib
import time
from statistics import median

from client import CLIENT, Client, Refused, Wire, register, register_many

CLIENTS = 64
KEYS = 10_000
USERS = 500
DEVICES = 3


def fake(*names):
    """43 characters as a key has; nobody checks what they are."""
    digest = hashlib.sha256(" ".join(map(str, names)).encode()).digest()
    return base64.b64encode(digest).decode().rstrip("=")


def signed(client, device, key):
    signature = {f"ed25519:{device}": fake(key, 1) + fake(key, 2)}
    return {"key": key, "signatures": {client.user: signature}}


def claims(server, report):
    """64 clients claim the 10,000 one-time keys of one device, one by one and all at once."""
    server.start()
    owner = register(Wire(server.address), "owner")
    device = owner.get(f"{CLIENT}/account/whoami")["device_id"]
    for start in range(0, KEYS, 500):
        keys = {f"signed_curve25519:k{n:05}": signed(owner, device, fake(n)) for n in range(start, start + 500)}
        owner.post(f"{CLIENT}/keys/upload", {"one_time_keys": keys})
    clients = register_many(server.address, [f"c{n}" for n in range(CLIENTS)])
    wanted = {"one_time_keys": {owner.user: {device: "signed_curve25519"}}}
    for client in clients:
        client.get(f"{CLIENT}/account/whoami")
    seen, waiting, left = [], list(clients), KEYS
    before, begun = server.cpu(), time.monotonic()
    # Every client has one claim under way until all are claimed.
    for client in waiting:
        client.write("POST", f"{CLIENT}/keys/claim", wanted)
        left -= 1
    while waiting:
        client = waiting.pop(0)
        seen += list(client.answer("claim")["one_time_keys"][owner.user][device])
        if left > 0:
            client.write("POST", f"{CLIENT}/keys/claim", wanted)
            left -= 1
            waiting.append(client)
    took, cpu = time.monotonic() - begun, server.cpu() - before
    assert len(seen) == KEYS, f"{len(seen)} keys were claimed"
    assert len(set(seen)) == KEYS, f"{KEYS - len(set(seen))} keys were claimed twice"
    note = f"{KEYS / took:.0f} per second, none twice; {cpu / KEYS:.3f} ms CPU each"
    report.at_most(f"a claim, {CLIENTS} clients claiming {KEYS} keys", took * 1000 / KEYS, 1000 / 2000, "ms", note)


def device_keys(user, device):
    return {
        "user_id": user,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {f"curve25519:{device}": fake(user, device, 1), f"ed25519:{device}": fake(user, device, 2)},
        "signatures": {user: {f"ed25519:{device}": fake(user, device, 3) + fake(user, device, 4)}},
    }


def master_key(user):
    public = fake(user, "master")
    return {"user_id": user, "usage": ["master"], "keys": {f"ed25519:{public}": public}}


def query(server, report):
    """/keys/query for 500 users of three devices each."""
    server.start(durability="os")
    asker = register(Wire(server.address), "asker")
    users = register_many(server.address, [f"u{n}" for n in range(USERS)])
    wire = Wire(server.address)
    for user in users:
        name = user.user[1:].split(":")[0]
        login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": name}
        more = [Client(server.address, wire.call("POST", f"{CLIENT}/login", body=login)) for _ in range(DEVICES - 1)]
        for client in [user, *more]:
            device = wire.call("GET", f"{CLIENT}/account/whoami", client.token)["device_id"]
            body = {"device_keys": device_keys(user.user, device)}
            wire.call("POST", f"{CLIENT}/keys/upload", client.token, body)
        body = {"master_key": master_key(user.user)}
        wire.call("POST", f"{CLIENT}/keys/device_signing/upload", user.token, body)
    wanted = {"device_keys": {user.user: [] for user in users}}
    costs = []
    for turn in range(25):
        before = server.cpu()
        answer = asker.post(f"{CLIENT}/keys/query", wanted)
        if turn > 4:
            costs.append(server.cpu() - before)
    devices = sum(len(devices) for devices in answer["device_keys"].values())
    if devices != USERS * DEVICES or len(answer["master_keys"]) != USERS:
        raise Refused(f"{devices} devices, {len(answer['master_keys'])} master keys")
    report.at_most(f"/keys/query of {USERS} users x {DEVICES} devices", median(costs), 20, "ms CPU")
