// One device of a person: matrix-js-sdk with its rust-crypto, as in Element Web, keys in memory.

import assert from "node:assert/strict";

import "../../clients/node20.mjs";

export const sdk = await import(`${process.env.SDK}/matrix-js-sdk/lib/index.js`);
export const api = await import(`${process.env.SDK}/matrix-js-sdk/lib/crypto-api/index.js`);

const PATIENCE_MS = 1000 * (process.env.PATIENCE ?? 90);

/// The first thing that `condition` finds. What it throws counts as nothing.
export async function until(what, condition, patience = PATIENCE_MS) {
    let trouble = "";
    for (const end = Date.now() + patience; Date.now() < end; ) {
        try {
            const found = await condition();
            if (found) return found;
            trouble = "";
        } catch (error) {
            trouble = `: ${error.message}`;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`never came: ${what}${trouble}`);
}

export class Device {
    constructor(person, name) {
        this.person = person;
        this.name = `${person.name}'s ${name}`;
        this.requests = [];
    }

    /// Logs `person` in, gives the new device its keys, and waits for the first sync.
    static async logIn(person, name) {
        const device = new Device(person, name);
        const login = { type: "m.login.password", password: person.password, initial_device_display_name: name };
        const identifier = { type: "m.id.user", user: person.name };
        const session = await sdk.createClient({ baseUrl: person.url }).loginRequest({ ...login, identifier });
        device.client = sdk.createClient({
            baseUrl: person.url,
            userId: session.user_id,
            deviceId: session.device_id,
            accessToken: session.access_token,
            verificationMethods: ["m.sas.v1"],
            cryptoCallbacks: {
                getSecretStorageKey: async ({ keys }) => person.recovery && [Object.keys(keys)[0], person.recovery],
                cacheSecretStorageKey: () => {},
            },
        });
        await device.client.initRustCrypto({ useIndexedDB: false });
        device.client.on(api.CryptoEvent.VerificationRequestReceived, (request) => device.requests.push(request));
        await device.client.startClient({ initialSyncLimit: 30, pollTimeout: 5000 });
        await until(`the first sync of ${device.name}`, () => device.client.isInitialSyncComplete());
        return device;
    }

    get id() {
        return this.client.getDeviceId();
    }

    get user() {
        return this.client.getUserId();
    }

    get crypto() {
        return this.client.getCrypto();
    }

    /// Repeats what the server wants a password for with one; whether it wanted it.
    async withPassword(act) {
        try {
            return [await act(null), false];
        } catch (error) {
            assert.equal(error.httpStatus, 401, `${error}`);
            const user = { type: "m.id.user", user: this.person.name };
            const auth = { type: "m.login.password", session: error.data.session, identifier: user };
            return [await act({ ...auth, password: this.person.password }), true];
        }
    }

    /// Makes cross-signing keys, new ones if `anew`; whether the server wanted the password for them.
    async bootstrapCrossSigning(anew) {
        let asked = false;
        const upload = async (request) => {
            const [answer, wanted] = await this.withPassword(request);
            asked ||= wanted;
            return answer;
        };
        await this.crypto.bootstrapCrossSigning({ setupNewCrossSigning: anew, authUploadDeviceSigningKeys: upload });
        return asked;
    }

    /// Signs itself with the cross-signing keys that lie in the secret storage.
    async takesOverKeys() {
        await until("the public keys", () => this.crypto.userHasCrossSigningKeys(this.user, true));
        await this.crypto.bootstrapCrossSigning({});
    }

    /// Puts the secrets into the person's account data, and begins a key backup.
    async bootstrapSecretStorage() {
        const key = await this.crypto.createRecoveryKeyFromPassphrase();
        this.person.recovery = key.privateKey;
        const options = { setupNewSecretStorage: true, setupNewKeyBackup: true };
        await this.crypto.bootstrapSecretStorage({ ...options, createSecretStorageKey: async () => key });
    }

    /// Sends a text; the event that it became.
    async say(room, body) {
        return until(`that ${this.name} can send`, async () => {
            const { event_id: event } = await this.client.sendMessage(room, { msgtype: "m.text", body });
            return event;
        });
    }

    find(room, event) {
        return this.client.getRoom(room)?.findEventById(event);
    }

    /// Waits until the device has decrypted what was said.
    async reads(room, event, body) {
        const what = `that ${this.name} reads ${JSON.stringify(body)}`;
        try {
            const found = await until(what, () => {
                const found = this.find(room, event);
                return found?.getClearContent()?.body === body && !found.isDecryptionFailure() && found;
            });
            assert.ok(found.isEncrypted(), "it was not encrypted");
        } catch (error) {
            const found = this.find(room, event);
            const why = found ? `it is there: ${found.decryptionFailureReason}` : "it is not there";
            throw new Error(`${error.message} (${why})`);
        }
    }

    /// Whether the device is there and cannot read what was said.
    cannotRead(room, event) {
        return until(`that ${this.name} has the event`, () => this.find(room, event)?.isDecryptionFailure());
    }

    /// Devices of `user` as this one knows them.
    async knows(user) {
        const devices = await this.crypto.getUserDeviceInfo([user], true);
        return [...(devices.get(user)?.keys() ?? [])].sort();
    }

    async joins(room) {
        await until(`the invitation of ${this.name}`, () => this.client.getRoom(room)?.getMyMembership() === "invite");
        await this.client.joinRoom(room);
    }

    stop() {
        this.client.stopClient();
    }
}
