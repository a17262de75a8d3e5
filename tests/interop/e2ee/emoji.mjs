// Verification by comparing emoji.

import assert from "node:assert/strict";

import { api, until } from "./device.mjs";

const { VerificationPhase: Phase, VerifierEvent } = api;

/// Takes two devices through a verification that the first one asks for; both see the same emoji.
export async function compareEmoji(first, second, ask) {
    const before = second.requests.length;
    const asked = await ask();
    const got = await until(`the request at ${second.name}`, () =>
        second.requests.slice(before).find((request) => request.phase === Phase.Requested),
    );
    await got.accept();
    await until(`that ${second.name} is ready`, () => asked.phase === Phase.Ready);
    const starts = await asked.startVerification("m.sas.v1");
    const answers = await until("the start", () => got.verifier);
    const shown = [starts, answers].map(shownBy);
    const done = Promise.all([starts.verify(), answers.verify()]);
    const [here, there] = await Promise.race([Promise.all(shown), done.then(() => assert.fail("nothing was shown"))]);
    assert.equal(here.sas.emoji.length, 7);
    assert.deepEqual(here.sas.emoji, there.sas.emoji);
    await Promise.all([here.confirm(), there.confirm()]);
    await done;
    for (const request of [asked, got]) await until("that it is done", () => request.phase === Phase.Done);
}

function shownBy(verifier) {
    const shown = verifier.getShowSasCallbacks();
    return shown ?? new Promise((resolve) => verifier.once(VerifierEvent.ShowSas, resolve));
}

/// Whether `device` has verified `user`, by what its user's keys have signed.
export async function trusts(device, user) {
    return (await device.crypto.getUserVerificationStatus(user)).isCrossSigningVerified();
}

/// Whether `device` sees another one as its owner's own.
export async function trustsDevice(device, other) {
    const status = await device.crypto.getDeviceVerificationStatus(other.user, other.id);
    return status?.signedByOwner && status.crossSigningVerified;
}
