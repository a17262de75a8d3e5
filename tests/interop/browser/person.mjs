// Somebody at a browser. What differs between clients is in element.mjs and cinny.mjs.

import { Watch } from "./watch.mjs";

export const PASSWORD = "correct horse battery staple";

export class Person {
    constructor(name, { browser, hearth, site }) {
        Object.assign(this, { name, browser, hearth, site });
        this.id = `@${name}:${hearth.name}`;
        this.watches = [];
    }

    // A new browser profile, as on another computer.
    async sitDown() {
        await this.context?.close();
        this.context = await this.browser.newContext({ viewport: { width: 1280, height: 800 } });
        this.page = await this.context.newPage();
        this.page.setDefaultTimeout(20_000);
        this.watches.push(new Watch(this.page, this.hearth.url));
        await this.prepare?.();
    }

    button(name) {
        return this.page.getByRole("button", { name, exact: typeof name === "string" });
    }

    async sees(text) {
        await this.page.getByText(text).last().waitFor();
    }

    async seesNoMore(text) {
        await this.page.getByText(text).last().waitFor({ state: "detached" });
    }

    // What was drawn, not only what is in the document.
    async seesPicture() {
        await this.page.waitForFunction(
            (selector) => [...document.querySelectorAll(selector)].some((image) => image.naturalWidth > 200),
            this.pictures,
        );
    }

    async write(text) {
        await this.composer().click();
        await this.page.keyboard.type(text, { delay: 20 });
    }

    async say(text) {
        await this.write(text);
        await this.page.keyboard.press("Enter");
        await this.sees(text);
    }

    async shot(path) {
        await this.page?.screenshot({ path }).catch(() => {});
    }

    get requests() {
        return this.watches.flatMap((watch) => watch.requests);
    }
}
