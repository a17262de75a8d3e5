// Cinny, as a person uses it. It names few of its buttons, so some are found by where they are.

import { Person, PASSWORD } from "./person.mjs";

export function configuration(hearth) {
    return {
        defaultHomeserver: 0,
        homeserverList: [hearth.url],
        allowCustomHomeservers: true,
        featuredCommunities: { openAsDefault: false, spaces: [], rooms: [], servers: [hearth.name] },
        hashRouter: { enabled: true, basename: "/" },
    };
}

export class Cinny extends Person {
    client = "Cinny";
    pictures = "[data-message-id] img";

    composer() {
        return this.page.locator("[contenteditable=true]").last();
    }

    text(text) {
        return this.page.getByText(text, { exact: true });
    }

    room(name) {
        return this.page.locator("a, button").filter({ hasText: name }).first();
    }

    message(text) {
        return this.page.locator("[data-message-id]").filter({ hasText: text }).last();
    }

    async go(place) {
        await this.page.goto(`${this.site}#/${place}/`);
    }

    // It draws only what is in view, and does not follow when a picture makes the room longer.
    async sees(text) {
        const [wanted, latest] = [this.page.getByText(text).last(), this.text("Jump to Latest")];
        for (let tries = 0; tries < 100 && !(await wanted.isVisible()); tries++) {
            if (await latest.isVisible()) await latest.click({ timeout: 1000 }).catch(() => {});
            await this.page.waitForTimeout(200);
        }
        await wanted.waitFor({ timeout: 1000 });
    }

    async register(token) {
        await this.sitDown();
        await this.page.goto(this.site);
        await this.page.getByText("Register").click();
        const password = { passwordInput: PASSWORD, confirmPasswordInput: PASSWORD };
        for (const [name, value] of Object.entries({ usernameInput: this.name, ...password, tokenInput: token })) {
            await this.page.locator(`input[name=${name}]`).fill(value);
        }
        await this.button("Register").click();
        await this.sees("Welcome to Cinny");
    }

    async login() {
        await this.sitDown();
        await this.page.goto(this.site);
        await this.page.locator("input[name=usernameInput]").fill(this.name);
        await this.page.locator("input[name=passwordInput]").fill(PASSWORD);
        await this.button("Login").click();
        await this.sees("Welcome to Cinny");
    }

    // Its button is the last in the column at the left.
    async settings(tab) {
        await this.page.mouse.click(33, 766);
        await this.text("General").first().waitFor();
        if (tab) await this.text(tab).first().click();
    }

    async closeSettings() {
        await this.page.keyboard.press("Escape");
        await this.text("Developer Tools").waitFor({ state: "detached" });
    }

    async logOut() {
        await this.settings();
        await this.text("Logout").last().click();
        await this.sees("Are you sure?");
        await this.text("Logout").last().click();
        await this.page.locator("input[name=usernameInput]").waitFor();
    }

    async createRoom({ name, open = false, encrypted = false, alias }) {
        await this.go("home");
        await this.text("Create Room").first().click();
        if (open) {
            await this.text("Private").click();
            await this.text("Public (anyone can join)").click();
            await this.page.locator(`input[placeholder="my_address"]`).fill(alias);
        } else if (!encrypted) {
            await this.page.locator("button.toggle, .toggle").first().click();
        }
        await this.page.locator("input[name=name]").fill(name);
        await this.text("Create").last().click();
        await this.text("This is the beginning of conversation.").waitFor();
        await this.text(name).nth(1).waitFor();
    }

    async invite(id) {
        await this.text("Invite Member").click();
        await this.page.locator("input[type=text].input").fill(id);
        await this.text("Search").last().click();
        await this.text("Invite").last().click();
        await this.text("Invited").last().waitFor();
        // Nothing but its cross closes the dialog, and a page that is loaded anew.
        await this.page.reload();
        await this.composer().waitFor();
    }

    // Invitations of strangers are kept apart from those of people one shares a room with.
    async accept() {
        await this.go("inbox/invites");
        const accept = this.button("Accept").first();
        for (let tries = 0; tries < 50 && !(await accept.isVisible()); tries++) {
            await this.button(tries % 2 ? /^Primary/ : /^Public/).click();
            await this.page.waitForTimeout(300);
        }
        await accept.click();
        // A chat of two may be looked for among the rooms first, where a card leads to it.
        await this.page.locator("[contenteditable=true]").or(this.button("View")).first().waitFor();
        await this.button("View").click({ timeout: 2000 }).catch(() => {});
        await this.composer().waitFor();
    }

    async open(name) {
        await this.go("home");
        await this.room(name).click();
        await this.composer().waitFor();
    }

    async lookAway() {
        await this.go("home");
        await this.sees("Welcome to Cinny");
    }

    async seesUnread(name, count) {
        await this.page.locator("a, button").filter({ hasText: new RegExp(`${name}\\s*${count}`) }).first().waitFor();
    }

    async seesTyping() {
        await this.page.getByText(/is typing/).waitFor();
    }

    async seesReceipt() {
        await this.page.getByText(/following the conversation/).waitFor();
    }

    async sendPicture(path) {
        const chooser = this.page.waitForEvent("filechooser");
        await this.composer().locator("xpath=ancestor::*[.//button][1]").locator("button").first().click();
        await (await chooser).setFiles(path);
        await this.button("Send").first().click();
    }

    // The last message of one's own is edited by the key for up.
    async edit(_, more) {
        await this.composer().click();
        await this.page.keyboard.press("ArrowUp");
        await this.page.waitForTimeout(500);
        await this.page.keyboard.press("End");
        await this.page.keyboard.type(more);
        await this.page.keyboard.press("Enter");
    }

    async menu(text, entry) {
        await this.message(text).click({ button: "right" });
        await this.text(entry).click();
    }

    async react(text, emoji) {
        await this.menu(text, "Add Reaction");
        await this.page.getByText(emoji).first().click();
    }

    async reply(text, answer) {
        await this.menu(text, "Reply");
        await this.say(answer);
    }

    async redact(text) {
        await this.menu(text, "Delete");
        await this.button("Delete").last().click();
    }

    async joinFromDirectory(name) {
        await this.go(`explore/${this.hearth.name}`);
        // The innermost box that has both is the room's.
        const rooms = this.page.locator("div").filter({ has: this.text(name) });
        const card = (button) => rooms.filter({ has: button }).last();
        const [join, view] = [this.button("Join"), this.button("View")];
        await card(join).locator(join).click();
        await card(view).locator(view).click();
        await this.composer().waitFor();
    }

    async leave(name) {
        await this.go("home");
        await this.room(name).click({ button: "right" });
        await this.text("Leave Room").click();
        await this.text("Leave").last().click();
        await this.text(name).waitFor({ state: "detached" });
    }

    async setUpRecovery() {
        await this.settings("Devices");
        await this.text("Enable").click();
        await this.text("Continue").last().click();
        await this.text("Show").click();
        const shown = await this.page.locator("body").innerText();
        [this.recoveryKey] = shown.match(/([A-Za-z0-9]{4} ){11}[A-Za-z0-9]{4}/);
        await this.page.reload();
    }

    async recover() {
        await this.settings("Devices");
        await this.text("Verify Manually").last().click();
        await this.page.locator("input[name=recoveryKeyInput]").fill(this.recoveryKey);
        await this.text("Verify").last().click();
        await this.text("Verified").first().waitFor();
        await this.closeSettings();
    }

    async rename(name) {
        await this.settings("Account");
        const save = this.page.locator("button[type=submit]:enabled", { hasText: "Save" });
        // The name that the account has may come meanwhile, and take the place of this one.
        for (let tries = 0; tries < 50 && !(await save.isVisible()); tries++) {
            await this.page.locator("input[name=displayNameInput]").fill(name);
            await this.page.waitForTimeout(200);
        }
        await save.click();
        await this.page.locator("button[type=submit]:disabled", { hasText: "Save" }).waitFor();
        await this.closeSettings();
    }
}
