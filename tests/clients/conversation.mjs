// Two people hold a conversation through matrix-js-sdk, which is what Element Web is built on.
//
//     SDK=…/node_modules node conversation.mjs URL TOKEN PICTURE
//
// Prints "restart" when it wants the server to be restarted, and reads a line when that is done.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import "./node20.mjs";

const [url, token, picturePath] = process.argv.slice(2);
// The library logs to the console what it does; this is a report.
const say = (line) => process.stdout.write(`${line}\n`);
for (const level of ["trace", "debug", "log", "info", "warn", "error"]) console[level] = () => {};
const sdk = await import(`${process.env.SDK}/matrix-js-sdk/lib/index.js`);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const picture = readFileSync(picturePath);
const password = "correct horse battery staple";

async function register(username) {
    const client = sdk.createClient({ baseUrl: url });
    const wanted = { username, password };
    const challenge = await client.registerRequest(wanted).catch((error) => error);
    assert.equal(challenge.httpStatus, 401, `${challenge}`);
    const session = challenge.data.session;
    let answer = {};
    for (const type of challenge.data.flows[0].stages) {
        const auth = { type, session, ...(type === "m.login.registration_token" && { token }) };
        answer = await client.registerRequest({ ...wanted, auth }).catch((error) => error);
    }
    assert.ok(answer.access_token, `${answer}`);
    return start(answer);
}

async function start(session) {
    const { user_id: userId, device_id: deviceId, access_token: accessToken } = session;
    const client = sdk.createClient({ baseUrl: url, userId, deviceId, accessToken, timelineSupport: true });
    await client.startClient({ initialSyncLimit: 5, threadSupport: true, pollTimeout: 5000 });
    await until("the first sync", () => client.isInitialSyncComplete());
    return client;
}

async function until(what, condition) {
    for (let tries = 0; tries < 400; tries++) {
        const found = condition();
        if (found) return found;
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`never came: ${what}: ${condition}`);
}

async function restart() {
    say("restart");
    assert.equal((await answers.next()).value, "restarted");
}

const send = async (client, content) => (await client.sendMessage(room, content)).event_id;
// The library fails over the answer to the first event of a thread when /sync brought that event before the answer: it
// has dropped its local echo by then and does not find the event in a thread that is still being loaded.
async function echoed(error, root) {
    if (!/not a local echo/.test(error.message)) throw error;
    return (await bob.relations(room, root, "m.thread", null)).events[0].getId();
}
const text = (body) => ({ msgtype: "m.text", body });
const find = (client, event) => client.getRoom(room)?.findEventById(event);
const sees = (client, event) => until(`event ${event}`, () => find(client, event));
const unread = (client) => client.getRoom(room).getRoomUnreadNotificationCount(sdk.NotificationCountType.Total);

let alice, bob, phone, room;
const said = {};

const steps = {
    "alice and bob register with the token": async () => {
        alice = await register("anna");
        bob = await register("ben");
        assert.equal((await alice.whoami()).user_id, alice.getUserId());
    },
    "alice creates a room and invites bob": async () => {
        await alice.setDisplayName("Anna");
        const wanted = { name: "Garden", preset: "private_chat", invite: [bob.getUserId()] };
        room = (await alice.createRoom(wanted)).room_id;
        await until("the invitation", () => bob.getRoom(room)?.getMyMembership() === "invite");
        assert.equal(bob.getRoom(room).name, "Garden");
    },
    "bob joins": async () => {
        await bob.joinRoom(room);
        await until("the room", () => bob.getRoom(room)?.getMyMembership() === "join");
        await until("bob", () => alice.getRoom(room)?.getMember(bob.getUserId())?.membership === "join");
        assert.equal((await until("alice", () => bob.getRoom(room).getMember(alice.getUserId()))).name, "Anna");
    },
    "they talk": async () => {
        said.hello = await send(alice, text("Hello Ben"));
        assert.equal((await sees(bob, said.hello)).getContent().body, "Hello Ben");
        said.reply = await send(bob, text("Hello Anna"));
        await sees(alice, said.reply);
    },
    "bob counts, reads, and alice sees it": async () => {
        await bob.sendReadReceipt(await sees(bob, said.reply));
        await until("none unread", () => unread(bob) === 0);
        said.called = await send(alice, { ...text("Ben?"), "m.mentions": { user_ids: [bob.getUserId()] } });
        const event = await sees(bob, said.called);
        await until("an unread message", () => unread(bob) === 1);
        await bob.sendReadReceipt(event);
        await until("none unread", () => unread(bob) === 0);
        await until("the receipt", () => alice.getRoom(room).hasUserReadEvent(bob.getUserId(), said.called));
    },
    "alice sees bob typing": async () => {
        const typing = () => alice.getRoom(room).getMember(bob.getUserId()).typing;
        await bob.sendTyping(room, true, 20000);
        await until("bob typing", typing);
        await bob.sendTyping(room, false, 0);
        await until("bob typing no more", () => !typing());
    },
    "alice sees that bob is away": async () => {
        await bob.setPresence({ presence: "unavailable", status_msg: "digging" });
        await until("the presence", () => alice.getUser(bob.getUserId())?.presenceStatusMsg === "digging");
    },
    "alice sends a picture and bob looks at it": async () => {
        const { content_uri: mxc } = await alice.uploadContent(picture, { name: "tree.png", type: "image/png" });
        said.picture = await send(alice, { msgtype: "m.image", body: "tree.png", url: mxc });
        assert.equal((await sees(bob, said.picture)).getContent().url, mxc);
        const headers = { Authorization: `Bearer ${bob.getAccessToken()}` };
        const whole = await fetch(bob.mxcUrlToHttp(mxc, undefined, undefined, undefined, false, true, true), { headers });
        assert.ok(Buffer.from(await whole.arrayBuffer()).equals(picture), `another picture: ${whole.status}`);
        const small = await fetch(bob.mxcUrlToHttp(mxc, 64, 64, "crop", false, true, true), { headers });
        assert.equal(small.status, 200);
        assert.ok(small.headers.get("content-type").startsWith("image/"), small.headers.get("content-type"));
    },
    "alice edits what she said": async () => {
        const relation = { rel_type: "m.replace", event_id: said.hello };
        const edit = { ...text("* Hello dear Ben"), "m.new_content": text("Hello dear Ben"), "m.relates_to": relation };
        said.edit = await send(alice, edit);
        await until("the edit", () => find(bob, said.hello).getContent().body === "Hello dear Ben");
    },
    "bob reacts": async () => {
        const relation = { rel_type: "m.annotation", event_id: said.picture, key: "\u{1f333}" };
        said.reaction = (await bob.sendEvent(room, "m.reaction", { "m.relates_to": relation })).event_id;
        await sees(alice, said.reaction);
        const found = await alice.relations(room, said.picture, "m.annotation", "m.reaction");
        assert.deepEqual(found.events.map((event) => event.getId()), [said.reaction]);
    },
    "bob answers in a thread": async () => {
        const reply = { event_id: said.picture };
        const relation = { rel_type: "m.thread", event_id: said.picture, is_falling_back: true, "m.in_reply_to": reply };
        const answer = send(bob, { ...text("An oak?"), "m.relates_to": relation });
        said.thread = await answer.catch((error) => echoed(error, said.picture));
        const thread = await until("the thread", () => alice.getRoom(room).getThread(said.picture));
        await until("the answer", () => thread.findEventById(said.thread));
        // The library counts by the root's bundle, which it fetches after the answer came by /sync.
        await until("the count", () => thread.length === 1);
    },
    "alice takes something back": async () => {
        said.slip = await send(alice, text("It is a birch"));
        await sees(bob, said.slip);
        await alice.redactEvent(room, said.slip);
        await until("the redaction", () => find(bob, said.slip).isRedacted());
    },
    "the server restarts and both go on": async () => {
        await restart();
        said.back = await send(alice, text("It is an oak"));
        await sees(bob, said.back);
    },
    "bob logs in elsewhere and finds everything": async () => {
        const fresh = sdk.createClient({ baseUrl: url });
        const identifier = { type: "m.id.user", user: "ben" };
        phone = await start(await fresh.loginRequest({ type: "m.login.password", identifier, password }));
        assert.equal(phone.getRoom(room).name, "Garden");
        while (await phone.scrollback(phone.getRoom(room), 10).then((r) => r.oldState.paginationToken !== null));
        const found = (event) => find(phone, event);
        for (const [name, event] of Object.entries(said)) {
            // What belongs to a thread is loaded with it, reactions and edits with their event.
            if (!["thread", "reaction", "edit"].includes(name)) assert.ok(found(event), `${name} is missing`);
        }
        assert.equal(found(said.hello).getContent().body, "Hello dear Ben");
        assert.ok(found(said.slip).isRedacted(), "the slip is there");
        await until("the thread", () => phone.getRoom(room).getThread(said.picture)?.findEventById(said.thread));
    },
    "bob leaves": async () => {
        await bob.leave(room);
        await until("that he left", () => alice.getRoom(room).getMember(bob.getUserId()).membership === "leave");
        await until("that he left", () => phone.getRoom(room).getMyMembership() === "leave");
    },
    "bob logs out": async () => {
        bob.stopClient();
        await bob.logout();
        await phone.whoami();
    },
};

let failed = 0;
for (const [name, step] of Object.entries(steps)) {
    try {
        await step();
        say(`ok    ${name}`);
    } catch (error) {
        failed++;
        say(`FAIL  ${name}\n      ${error?.message ?? error} ${error?.stack?.match(/conversation.mjs:\d+/g)?.at(-1) ?? ""}`);
    }
}
say(`matrix-js-sdk: ${Object.keys(steps).length - failed} passed, ${failed} failed`);
// Clients that still sync would keep the process.
process.exit(failed ? 1 : 0);
