// People with several devices talk in encrypted rooms: two on Hearth, one on Synapse.
//
//     SDK=…/node_modules node conversation.mjs PEOPLE
//
// PEOPLE is JSON: {"anna": {"url", "name", "password"}, "ben": …, "cleo": …}, cleo being on Synapse. Prints what it
// wants to happen to servers ("please kill hearth"), and reads a line when that is done.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";

const say = (line) => process.stdout.write(`${line}\n`);
// The library logs to the console what it does; this is a report.
const trace = process.env.TRACE ? (...all) => process.stderr.write(`${all.join(" ")}\n`) : () => {};
for (const level of ["trace", "debug", "log", "info", "warn", "error"]) console[level] = trace;

const { Device, until } = await import("./device.mjs");
const { compareEmoji, trusts, trustsDevice } = await import("./emoji.mjs");

const STEP_MS = 1000 * (process.env.PATIENCE ?? 90) * 2;
const people = JSON.parse(process.argv[2]);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function please(what) {
    say(`please ${what}`);
    assert.equal((await answers.next()).value, "done", what);
}

/// The devices, by name.
const my = {};
let room;
const said = [];

/// Says something by `speaker`; all of `listeners` read it.
async function heard(speaker, body, listeners) {
    const event = await speaker.say(room, body);
    said.push([event, body]);
    await Promise.all(listeners.map((device) => device.reads(room, event, body)));
}

/// Makes an encrypted room of `first` and one of each of `guests`.
async function encryptedRoom(first, guests, options) {
    const { name, ...content } = { algorithm: "m.megolm.v1.aes-sha2", ...options };
    const encryption = { type: "m.room.encryption", state_key: "", content };
    const invite = guests.map((guest) => guest.user);
    const wanted = { preset: "trusted_private_chat", is_direct: !name, name, invite, initial_state: [encryption] };
    const { room_id: made } = await first.client.createRoom(wanted);
    for (const guest of guests) await guest.joins(made);
    return made;
}

async function isIn(device, room, members) {
    await until(`the room at ${device.name}`, () => device.client.getRoom(room)?.getJoinedMemberCount() === members);
    await until("that it is encrypted", () => device.crypto.isEncryptionEnabledInRoom(room));
}

/// Verification of two people, in a room of theirs as clients do it.
async function verify(first, second) {
    const direct = await encryptedRoom(first, [second], {});
    for (const device of [first, second]) await isIn(device, direct, 2);
    await compareEmoji(first, second, () => first.crypto.requestVerificationDM(second.user, direct));
}

const others = (device, devices) => devices.filter((other) => other !== device);
const onHearth = () => [my.desk, my.phone, my.ben, my.benPad];
const everybody = () => [...onHearth(), my.cleo, my.cleoPad];

const steps = {
    "anna, ben and cleo log in on two devices each": async () => {
        my.desk = await Device.logIn(people.anna, "desk");
        my.ben = await Device.logIn(people.ben, "desk");
        my.cleo = await Device.logIn(people.cleo, "desk");
        my.phone = await Device.logIn(people.anna, "phone");
        my.benPad = await Device.logIn(people.ben, "pad");
        my.cleoPad = await Device.logIn(people.cleo, "pad");
    },
    "each makes cross-signing keys, a secret storage and a key backup": async () => {
        for (const device of [my.desk, my.ben, my.cleo]) {
            const asked = await device.bootstrapCrossSigning(false);
            if (device !== my.cleo) assert.ok(!asked, "the first keys need no password");
            await device.bootstrapSecretStorage();
            assert.ok(await device.crypto.isCrossSigningReady());
            assert.ok(await device.crypto.isSecretStorageReady());
            assert.ok(await device.crypto.getActiveSessionBackupVersion());
        }
    },
    "other cross-signing keys need the password": async () => {
        const before = await my.ben.crypto.getCrossSigningKeyId();
        assert.ok(await my.ben.bootstrapCrossSigning(true), "the password was not asked for");
        await my.ben.bootstrapSecretStorage();
        assert.notEqual(await my.ben.crypto.getCrossSigningKeyId(), before);
    },
    "anna's devices verify each other by emoji, and the second one gets the secrets": async () => {
        await until("the other device", async () => (await my.desk.knows(my.desk.user)).includes(my.phone.id));
        await until("the keys", () => my.phone.crypto.userHasCrossSigningKeys(my.phone.user, true));
        await compareEmoji(my.phone, my.desk, () => my.phone.crypto.requestOwnUserVerification());
        await until("that the phone is trusted", () => trustsDevice(my.desk, my.phone));
        await until("that the desk is trusted", () => trustsDevice(my.phone, my.desk));
        await until("the secrets", async () => {
            const { privateKeysCachedLocally: keys } = await my.phone.crypto.getCrossSigningStatus();
            return keys.masterKey && keys.selfSigningKey && keys.userSigningKey;
        });
        await until("the key of the backup", () => my.phone.crypto.getSessionBackupPrivateKey());
    },
    "ben's and cleo's second devices are signed with the recovery key": async () => {
        for (const [device, first] of [[my.benPad, my.ben], [my.cleoPad, my.cleo]]) {
            await device.takesOverKeys();
            await until(`that ${first.name} sees it`, () => trustsDevice(first, device));
        }
    },
    "anna makes an encrypted room, and the others join": async () => {
        // Keys are handed on often: that is what is tried here.
        room = await encryptedRoom(my.desk, [my.ben, my.cleo], { name: "Cellar", rotation_period_msgs: 4 });
        for (const device of everybody()) await isIn(device, room, 3);
    },
    "what each device says is read on all others": async () => {
        for (const device of everybody()) {
            await heard(device, `hello from ${device.name}`, others(device, everybody()));
        }
    },
    "anna and ben verify each other by emoji": async () => {
        await verify(my.desk, my.ben);
        for (const device of [my.desk, my.phone]) {
            await until(`that ${device.name} trusts ben`, () => trusts(device, my.ben.user));
        }
        await until("that ben trusts anna", () => trusts(my.ben, my.desk.user));
    },
    "anna and cleo of the other server verify each other by emoji": async () => {
        await verify(my.cleo, my.desk);
        for (const device of [my.desk, my.phone]) {
            await until(`that ${device.name} trusts cleo`, () => trusts(device, my.cleo.user));
        }
        await until("that cleo trusts anna", () => trusts(my.cleo, my.desk.user));
    },
    "a new login is restored from the key backup and reads what was said": async () => {
        my.tablet = await Device.logIn(people.anna, "tablet");
        await my.tablet.takesOverKeys();
        await until("that the desk sees it", () => trustsDevice(my.desk, my.tablet));
        await my.tablet.crypto.loadSessionBackupPrivateKeyFromSecretStorage();
        const { trusted } = (await my.tablet.crypto.checkKeyBackupAndEnable()).trustInfo;
        assert.ok(trusted, "the backup is not trusted");
        await until("all sessions", async () => {
            const { imported, total } = await my.tablet.crypto.restoreKeyBackup();
            return imported === total && total >= 6;
        });
        for (const [event, body] of said) {
            await until("the event", async () => {
                if (!my.tablet.find(room, event)) await my.tablet.client.scrollback(my.tablet.client.getRoom(room), 30);
                return my.tablet.find(room, event);
            });
            await my.tablet.reads(room, event, body);
        }
        await heard(my.tablet, "this is the tablet", everybody());
        await heard(my.cleo, "welcome, tablet", [my.tablet, ...others(my.cleo, everybody())]);
    },
    "anna deletes the tablet, which gets no more keys": async () => {
        const before = await my.cleo.knows(my.desk.user);
        assert.ok(before.includes(my.tablet.id));
        const [, asked] = await my.desk.withPassword((auth) => my.desk.client.deleteDevice(my.tablet.id, auth ?? undefined));
        assert.ok(asked, "the password was not asked for");
        for (const device of everybody()) {
            await until(`that ${device.name} knows`, async () => {
                const known = await device.crypto.getUserDeviceInfo([my.desk.user]);
                return !known.get(my.desk.user).has(my.tablet.id);
            });
        }
        await assert.rejects(my.tablet.client.whoami(), (error) => error.errcode === "M_UNKNOWN_TOKEN");
        my.tablet.stop();
        await heard(my.desk, "the tablet is gone", others(my.desk, everybody()));
    },
    "hearth is away while cleo talks, with a new device": async () => {
        await please("stop hearth");
        const event = await my.cleo.say(room, "are you there?");
        my.cleoBox = await Device.logIn(people.cleo, "box");
        await my.cleoBox.takesOverKeys();
        const later = await my.cleoPad.say(room, "anna? ben?");
        await please("start hearth");
        for (const device of onHearth()) {
            await device.reads(room, event, "are you there?");
            await device.reads(room, later, "anna? ben?");
            const told = async () => (await device.knows(my.cleo.user)).includes(my.cleoBox.id);
            await until(`that ${device.name} knows of the box`, told);
        }
        await heard(my.phone, "here we are", [my.cleoBox, ...others(my.phone, everybody())]);
        await heard(my.cleoBox, "good", everybody());
    },
    "synapse is away while anna talks, with a new device": async () => {
        await please("stop synapse");
        const event = await my.desk.say(room, "are you there, cleo?");
        my.watch = await Device.logIn(people.anna, "watch");
        await my.watch.takesOverKeys();
        const later = await my.phone.say(room, "cleo?");
        const seen = async () => (await my.ben.knows(my.desk.user)).includes(my.watch.id);
        await until("that ben knows of the watch", seen);
        await please("start synapse");
        for (const device of [my.cleo, my.cleoPad, my.cleoBox]) {
            await device.reads(room, event, "are you there, cleo?");
            await device.reads(room, later, "cleo?");
            const told = async () => {
                const known = await device.crypto.getUserDeviceInfo([my.desk.user]);
                return known.get(my.desk.user).has(my.watch.id);
            };
            await until(`that ${device.name} knows of the watch`, told);
        }
        await heard(my.cleo, "I was away", [my.watch, my.cleoBox, ...others(my.cleo, everybody())]);
        await heard(my.watch, "so we saw", [my.cleoBox, ...everybody()]);
    },
    "hearth is killed, and everything goes on": async () => {
        const before = await my.ben.say(room, "before it");
        await please("kill hearth");
        const meanwhile = await my.cleo.say(room, "in between");
        await please("start hearth");
        for (const device of others(my.ben, [my.watch, my.cleoBox, ...everybody()])) {
            await device.reads(room, before, "before it");
        }
        for (const device of [my.watch, ...onHearth()]) await device.reads(room, meanwhile, "in between");
        for (const device of [my.phone, my.cleoPad, my.benPad]) {
            await heard(device, `${device.name} is still there`, others(device, [my.watch, my.cleoBox, ...everybody()]));
        }
    },
    "a dehydrated device gets what is said while ben has no other": async () => {
        assert.ok(await my.ben.crypto.isDehydrationSupported());
        await my.ben.crypto.startDehydration();
        const known = async () => (await my.cleo.knows(my.ben.user)).length === 3;
        await until("that cleo knows of it", known);
        for (const device of [my.ben, my.benPad]) {
            device.stop();
            await device.client.logout();
        }
        const gone = async (device) => (await device.knows(my.ben.user)).length === 1;
        for (const device of [my.cleo, my.phone]) await until("that ben is away", () => gone(device));
        const fromCleo = await my.cleo.say(room, "ben is asleep");
        const fromAnna = await my.phone.say(room, "he is");
        await my.desk.reads(room, fromCleo, "ben is asleep");
        await my.cleo.reads(room, fromAnna, "he is");
        my.ben = await Device.logIn(people.ben, "new desk");
        await my.ben.takesOverKeys();
        await my.ben.crypto.startDehydration();
        await my.ben.reads(room, fromCleo, "ben is asleep");
        await my.ben.reads(room, fromAnna, "he is");
    },
    "ben resets all that is encrypted, and begins anew": async () => {
        const before = await my.ben.crypto.getCrossSigningKeyId();
        const version = await my.ben.crypto.getActiveSessionBackupVersion();
        await my.ben.crypto.resetEncryption(async (request) => (await my.ben.withPassword(request))[0]);
        assert.notEqual(await my.ben.crypto.getCrossSigningKeyId(), before);
        await my.ben.bootstrapSecretStorage();
        assert.notEqual(await my.ben.crypto.getActiveSessionBackupVersion(), version);
        for (const device of [my.desk, my.watch]) {
            await until(`that ${device.name} trusts ben no more`, async () => !(await trusts(device, my.ben.user)));
        }
        const all = [my.watch, my.cleoBox, my.desk, my.phone, my.cleo, my.cleoPad];
        await heard(my.ben, "it is still me", all);
        await heard(my.cleo, "is it?", [my.ben, ...others(my.cleo, all)]);
    },
};

function tooLong() {
    return new Promise((_, reject) => setTimeout(() => reject(new Error("it does not end")), STEP_MS).unref());
}

let failed = 0;
let left = Object.keys(steps).length;
for (const [name, step] of Object.entries(steps)) {
    const begun = Date.now();
    left--;
    try {
        await Promise.race([step(), tooLong()]);
        say(`ok    ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
        failed++;
        const places = error?.stack?.match(/(conversation|device|emoji).mjs:\d+/g)?.join(" < ") ?? "";
        say(`FAIL  ${name}\n      ${error?.message ?? error} ${places}`);
        // Each step needs those before it.
        break;
    }
}
const passed = Object.keys(steps).length - failed - left;
say(`encrypted conversation: ${passed} passed, ${failed} failed${left ? `, ${left} left out after it` : ""}`);
// Clients that still sync would keep the process.
process.exit(failed ? 1 : 0);
