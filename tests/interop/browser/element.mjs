// Element Web, as a person uses it.

import { Person, PASSWORD } from "./person.mjs";

export function configuration(hearth) {
    return {
        default_server_config: { "m.homeserver": { base_url: hearth.url, server_name: hearth.name } },
        integrations_ui_url: null,
        integrations_rest_url: null,
    };
}

export class Element extends Person {
    client = "Element Web";
    pictures = ".mx_MImageBody img";

    async prepare() {
        await this.page.addInitScript(() => localStorage.setItem("notifications_hidden", "true"));
    }

    composer() {
        return this.page.locator(".mx_RoomView_body .mx_BasicMessageComposer_input");
    }

    dialog() {
        return this.page.locator(".mx_Dialog").last();
    }

    room(name) {
        return this.page.getByRole("treeitem", { name: new RegExp(`^${name}`) });
    }

    message(text) {
        return this.page.locator(".mx_RoomView_body .mx_EventTile").filter({ hasText: text }).last();
    }

    async register(token) {
        await this.sitDown();
        await this.page.goto(`${this.site}#/register`);
        await this.page.getByLabel("Username").fill(this.name);
        for (const field of await this.passwords(2)) await field.fill(PASSWORD);
        await this.button("Register").click();
        await this.page.getByLabel("Registration token").fill(token);
        await this.button("Continue").click();
        await this.page.getByText("Skip").click();
        await this.page.getByText("Welcome to").waitFor();
    }

    async passwords(count) {
        const fields = this.page.locator("input[type=password]");
        await fields.nth(count - 1).waitFor();
        return fields.all();
    }

    async login() {
        await this.sitDown();
        await this.page.goto(`${this.site}#/login`);
        await this.page.getByLabel("Username").last().fill(this.name);
        await (await this.passwords(1))[0].fill(PASSWORD);
        await this.button("Sign in").click();
    }

    async logOut() {
        await this.button("User menu").click();
        await this.page.getByRole("menuitem", { name: "Sign out" }).click();
        await this.dialog().getByRole("button", { name: "Sign out" }).click();
        await this.page.getByLabel("Username").last().waitFor();
    }

    async createRoom({ name, open = false, encrypted = false, alias }) {
        await this.button("Add room").click();
        await this.page.getByRole("menuitem", { name: "New room" }).click();
        const dialog = this.dialog();
        await dialog.getByLabel("Name").fill(name);
        if (open) {
            await dialog.locator(".mx_Dropdown_input").click();
            await this.page.getByRole("option", { name: /Public room/ }).click();
            await dialog.getByLabel("Room address").fill(alias);
        } else if (!encrypted) {
            await dialog.getByRole("switch", { name: /encryption/i }).click();
        }
        await dialog.getByRole("button", { name: "Create room" }).click();
        await this.page.locator(".mx_RoomHeader").getByText(name).waitFor();
    }

    async invite(id) {
        await this.button("Invite to this room").first().click();
        await this.dialog().locator("input[type=text]").fill(id);
        await this.page.locator(".mx_InviteDialog_tile--room").first().click();
        await this.dialog().getByRole("button", { name: "Invite", exact: true }).click();
        await this.page.locator(".mx_Dialog").waitFor({ state: "detached" });
    }

    async accept(name) {
        await this.room(name).click();
        await this.page.locator(".mx_RoomPreviewBar_actions .mx_AccessibleButton_kind_primary").click();
        await this.composer().waitFor();
    }

    async open(name) {
        await this.room(name).click();
        await this.page.locator(".mx_RoomHeader").getByText(name).waitFor();
    }

    // Another room, so that the first is not read as it arrives.
    async lookAway() {
        await this.page.goto(`${this.site}#/home`);
    }

    async seesUnread(name, count) {
        await this.room(name).locator(".mx_NotificationBadge_count", { hasText: new RegExp(`^${count}$`) }).waitFor();
    }

    async seesTyping() {
        await this.page.locator(".mx_WhoIsTypingTile").filter({ hasText: "is typing" }).waitFor();
    }

    async seesReceipt(text) {
        await this.message(text).locator(".mx_ReadReceiptGroup .mx_BaseAvatar").first().waitFor();
    }

    // Its service worker asks the page for the token, waits a second at most, and then asks the server without one.
    async seesPicture() {
        for (let tries = 0; tries < 3; tries++) {
            if (await super.seesPicture().then(() => true, () => false)) return;
            await this.page.reload();
        }
        await super.seesPicture();
    }

    async sendPicture(path) {
        const chooser = this.page.waitForEvent("filechooser");
        await this.button("Attachment").first().click();
        await (await chooser).setFiles(path);
        await this.button("Upload").click();
    }

    async act(text, action) {
        await this.message(text).hover();
        await this.message(text).getByRole("button", { name: action, exact: true }).click();
    }

    async edit(text, more) {
        await this.act(text, "Edit");
        await this.page.keyboard.press("End");
        await this.page.keyboard.type(more);
        await this.page.keyboard.press("Enter");
    }

    async react(text, emoji) {
        await this.act(text, "React");
        await this.page.locator(".mx_EmojiPicker_item", { hasText: emoji }).first().click();
    }

    async reply(text, answer) {
        await this.act(text, "Reply");
        await this.say(answer);
    }

    async redact(text) {
        await this.act(text, "Options");
        await this.page.getByRole("menuitem", { name: "Remove" }).click();
        await this.dialog().getByRole("button", { name: "Remove" }).click();
    }

    async thread(text, answer) {
        await this.act(text, "Reply in thread");
        await this.page.locator(".mx_ThreadView .mx_BasicMessageComposer_input").click();
        await this.page.keyboard.type(answer);
        await this.page.keyboard.press("Enter");
    }

    async seesThread() {
        await this.page.locator(".mx_ThreadSummary").getByText("1 reply").waitFor();
    }

    async joinFromDirectory(name) {
        await this.button("Explore rooms").click();
        await this.dialog().getByRole("option", { name: new RegExp(`${name}\\b`) }).first().click();
        await this.composer().waitFor();
    }

    async leave(name) {
        await this.room(name).click({ button: "right" });
        await this.page.getByRole("menuitem", { name: "Leave" }).click();
        await this.dialog().getByRole("button", { name: "Leave" }).click();
        await this.room(name).waitFor({ state: "detached" });
    }

    // The toast that offers it comes with the first encrypted room.
    async setUpRecovery() {
        await this.page.locator(".mx_Toast_toast").getByRole("button", { name: "Continue" }).click();
        await this.dialog().getByRole("button", { name: "Continue" }).click();
        this.recoveryKey = await this.dialog().locator("code").innerText();
        await this.dialog().getByRole("button", { name: "Copy" }).click();
        await this.dialog().getByRole("button", { name: "Continue" }).click();
        await this.dialog().getByRole("button", { name: "Done" }).click();
    }

    async recover() {
        await this.button(/Verify with Security Key/).click();
        await this.dialog().locator("input[type=text], input[type=password]").first().fill(this.recoveryKey);
        await this.dialog().getByRole("button", { name: "Continue" }).click();
        await this.button("Done").click();
    }

    async verifyBy(other) {
        await this.button("Verify with another device").click();
        await other.button("Verify Session").click();
        await other.button("Start").click();
        const emoji = ({ page }) => page.locator(".mx_VerificationShowSas_emojiSas").innerText();
        const [here, there] = [await emoji(this), await emoji(other)];
        if (here !== there) throw new Error(`different emoji: ${here} / ${there}`);
        for (const side of [this, other]) await side.button("They match").click();
        for (const side of [this, other]) await side.button("Got it").click();
    }

    async rename(name) {
        await this.button("User menu").click();
        await this.page.getByRole("menuitem", { name: "All settings" }).click();
        await this.page.getByLabel("Display Name").fill(name);
        await this.button("Save").click();
        await this.button("Save").waitFor({ state: "detached" });
        await this.button("Close dialog").click();
    }

    async seesOnline() {
        await this.page.locator(".mx_DecoratedRoomAvatar_icon_online").first().waitFor();
    }

    async startChat(id) {
        await this.button("Start chat").first().click();
        await this.dialog().locator("input[type=text]").fill(id);
        await this.page.locator(".mx_InviteDialog_tile--room").first().click();
        await this.dialog().getByRole("button", { name: "Go", exact: true }).click();
        await this.composer().waitFor();
    }

    async createSpace(name) {
        await this.button("Create a space").click();
        await this.button(/^Private/).click();
        await this.page.getByLabel("Name").fill(name);
        await this.button("Create").click();
        await this.page.getByText("Just me").click();
        await this.button("Skip for now").click();
    }
}
