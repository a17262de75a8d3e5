// A picture that no other test has, drawn by the browser.

import { writeFile } from "node:fs/promises";

export async function picture(browser, path) {
    const page = await browser.newPage();
    const url = await page.evaluate(() => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 900, height: 600 });
        const context = canvas.getContext("2d");
        const colours = context.createLinearGradient(0, 0, 900, 600);
        ["navy", "crimson", "gold"].forEach((colour, place) => colours.addColorStop(place / 2, colour));
        context.fillStyle = colours;
        context.fillRect(0, 0, 900, 600);
        return canvas.toDataURL("image/png");
    });
    await page.close();
    await writeFile(path, Buffer.from(url.slice(url.indexOf(",") + 1), "base64"));
}
