"""What servers tell each other about people: profiles, media, keys, messages to devices. One step for each."""

import json
import sys
from pathlib import Path

from person import eventually, path
from signedjson.key import encode_verify_key_base64, generate_signing_key, get_verify_key
from signedjson.sign import sign_json

sys.path.append(str(Path(__file__).parent.parent / "clients"))
from picture import png, png_size  # noqa: E402

ALGORITHMS = ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"]


def device_keys(person):
    """Well-formed keys with made-up bytes: a server does not check clients' signatures."""
    name = person.device
    return {
        "user_id": person.id,
        "device_id": name,
        "algorithms": ALGORITHMS,
        "keys": {f"curve25519:{name}": person.name.ljust(43, "A")[:43], f"ed25519:{name}": person.name.ljust(43, "B")[:43]},
        "signatures": {person.id: {f"ed25519:{name}": "C" * 86}},
    }


def one_time_key(person, n):
    return {"key": f"{n:043d}", "signatures": {person.id: {f"ed25519:{person.device}": "D" * 86}}}


def profile_is_asked_for(person, far, room):
    person.call("PUT", "v3/profile/" + path(person.id, "displayname"), {"displayname": f"{person.name} the first"})
    profile = far.call("GET", "v3/profile/" + path(person.id))
    assert profile["displayname"] == f"{person.name} the first", profile
    far.sees_state(room, "m.room.member", person.id, lambda content: content.get("displayname") == f"{person.name} the first")
    far.refused(404, far.call, "GET", "v3/profile/" + path(f"@nobody:{person.server.name}"))


def media_is_fetched(person, far, room):
    picture = png(320, 200)
    uri = person_upload(person, picture, "image/png")
    server, media = uri.removeprefix("mxc://").split("/")
    body, headers = far.raw("GET", f"client/v1/media/download/{server}/{media}")
    assert body == picture and headers["Content-Type"] == "image/png", headers.items()
    small, headers = far.raw("GET", f"client/v1/media/thumbnail/{server}/{media}", width=32, height=32, method="scale")
    assert headers["Content-Type"].startswith("image/") and 0 < len(small), headers.items()
    if headers["Content-Type"] == "image/png":
        assert png_size(small)[0] <= 320, png_size(small)
    uri = person_upload(person, b"plain words", "text/plain")
    server, media = uri.removeprefix("mxc://").split("/")
    assert far.raw("GET", f"client/v1/media/download/{server}/{media}")[0] == b"plain words"
    far.refused(404, far.raw, "GET", f"client/v1/media/download/{server}/doesnotexist")


def person_upload(person, data, kind):
    return json.loads(person.raw("POST", "media/v3/upload", data, kind=kind)[0])["content_uri"]


def device_keys_are_queried(person, far, room):
    far.sync()
    person.call("POST", "v3/keys/upload", {"device_keys": device_keys(person)})
    far.until(f"the devices of {person.name} change", lambda: person.id in far.changed)

    def asked():
        answer = far.call("POST", "v3/keys/query", {"device_keys": {person.id: []}})
        return answer["device_keys"].get(person.id, {}).get(person.device)

    keys = eventually("the device is shown", asked)
    assert keys["keys"] == device_keys(person)["keys"] and keys["signatures"] == device_keys(person)["signatures"], keys


def one_time_keys_are_claimed_once_each(person, far, room):
    keys = {f"signed_curve25519:k{n}": one_time_key(person, n) for n in range(3)}
    fallback = {"signed_curve25519:fallback": {**one_time_key(person, 99), "fallback": True}}
    person.call("POST", "v3/keys/upload", {"one_time_keys": keys, "fallback_keys": fallback})
    claimed = []
    for _ in range(4):
        wanted = {"one_time_keys": {person.id: {person.device: "signed_curve25519"}}}
        answer = far.call("POST", "v3/keys/claim", wanted)
        assert not answer.get("failures"), answer
        claimed += answer["one_time_keys"][person.id][person.device]
    assert sorted(claimed[:3]) == sorted(keys) and claimed[3] == "signed_curve25519:fallback", claimed


def messages_reach_a_device_once(person, far, room):
    sent = [f"secret {n}" for n in range(5)]
    for body in sent:
        content = {"messages": {far.id: {far.device: {"body": body}}}}
        person.call("PUT", "v3/sendToDevice/" + path("org.example.test", f"d{person.number()}"), content)

    def received():
        return [event["content"]["body"] for event in far.to_device if event["sender"] == person.id]

    far.until("the messages to the device", lambda: len(received()) >= len(sent))
    far.sync()
    assert received() == sent, received()


def a_new_device_is_noticed(person, far, room):
    far.sync()
    far.changed.clear()
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": person.name}, "password": "secret"}
    device = person.call("POST", "v3/login", login)["device_id"]
    far.until(f"the devices of {person.name} change", lambda: person.id in far.changed)

    def known():
        # Devices without keys are not shown, those with keys still are.
        answer = far.call("POST", "v3/keys/query", {"device_keys": {person.id: []}})
        return set(answer["device_keys"].get(person.id, {})) == {person.device}

    assert device != person.device
    eventually("the list of devices is right", known)


def cross_signing_keys_are_seen(person, far, room):
    far.sync()
    far.changed.clear()

    root = generate_signing_key("master")

    def public(usage, secret):
        key = encode_verify_key_base64(get_verify_key(secret))
        return {"user_id": person.id, "usage": [usage], "keys": {f"ed25519:{key}": key}}

    # The name of a key is the key itself, in signatures too.
    root.version = encode_verify_key_base64(get_verify_key(root))
    master = public("master", root)
    signing = sign_json(public("self_signing", generate_signing_key("self")), person.id, root)
    body = {"master_key": master, "self_signing_key": signing}
    body["auth"] = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": person.name}, "password": "secret"}
    person.call("POST", "v3/keys/device_signing/upload", body)

    def shown():
        answer = far.call("POST", "v3/keys/query", {"device_keys": {person.id: []}})
        key = answer.get("master_keys", {}).get(person.id)
        own = answer.get("self_signing_keys", {}).get(person.id)
        return key and own and (key["keys"], own["keys"])

    assert eventually("the keys are shown", shown) == (master["keys"], signing["keys"])


STEPS = [
    profile_is_asked_for,
    media_is_fetched,
    device_keys_are_queried,
    one_time_keys_are_claimed_once_each,
    messages_reach_a_device_once,
    a_new_device_is_noticed,
    cross_signing_keys_are_seen,
]
