// Two people at browsers hold a conversation:  node talk.mjs HEARTH_BINARY
//
// ELEMENT_WEB and CINNY name folders with the built clients, PLAYWRIGHT the folder of playwright-core, CHROMIUM the
// browser, FOLDER where a failed step's screenshots go.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import * as cinny from "./cinny.mjs";
import { LEFT_OUT, alone, pairs } from "./conversation.mjs";
import * as element from "./element.mjs";
import { Hearth, TOKEN } from "./hearth.mjs";
import { picture } from "./picture.mjs";
import { serve } from "./site.mjs";
import { unexpected } from "./watch.mjs";

const { chromium } = createRequire(join(process.env.PLAYWRIGHT, "x"))("playwright-core");
const folder = process.env.FOLDER;
const say = (line) => process.stdout.write(`${line}\n`);
const count = { passed: 0, failed: 0 };

async function run(title, steps, people, world) {
    say(title);
    for (const [name, step] of Object.entries(steps)) {
        try {
            if ((await step(...people, world)) === LEFT_OUT) continue;
            count.passed++;
            say(`  ok    ${name}`);
        } catch (error) {
            count.failed++;
            say(`  FAIL  ${name}\n        ${error.message.replaceAll("\n", "\n        ")}`);
            for (const person of people) await person.shot(join(folder, `${count.failed}-${person.name}.png`));
            break;
        }
    }
    for (const person of people) report(person);
    for (const person of people) await person.context?.close();
}

function report(person) {
    const seen = new Set();
    for (const { method, path, status, body } of unexpected(person.requests)) {
        const line = `${status} ${method} ${path.replace(/\?.*/, "")} ${body}`;
        if (seen.size < 20 && !seen.has(line)) say(`  FAIL  ${person.client} was refused: ${line}`);
        seen.add(line);
    }
    if (seen.size) count.failed++;
    else count.passed++;
}

const hearth = await Hearth.start(process.argv[2]);
const clients = [];
if (process.env.ELEMENT_WEB) clients.push(await client(element.Element, process.env.ELEMENT_WEB, element));
if (process.env.CINNY) clients.push(await client(cinny.Cinny, process.env.CINNY, cinny));

async function client(type, built, { configuration }) {
    return { type, site: await serve(built, configuration(hearth)) };
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
const world = { hearth, token: TOKEN, picture: join(folder, "picture.png") };
await picture(browser, world.picture);
let number = 0;
const person = ({ type, site }, name) => new type(`${name}${++number}`, { browser, hearth, site: site.url });
try {
    for (const first of clients) {
        for (const second of clients) {
            const people = [person(first, "anna"), person(second, "ben")];
            await run(`${people[0].client} and ${people[1].client}`, pairs, people, world);
        }
        const one = person(first, "cora");
        if (one.verifyBy) await run(`${one.client} alone`, alone, [one], world);
    }
} finally {
    await browser.close();
    for (const { site } of clients) site.close();
    if (count.failed) say(readFileSync(join(hearth.folder, "log"), "utf8").slice(-3000));
    await hearth.remove();
}
say(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed ? 1 : 0);
