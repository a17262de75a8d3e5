// Serves a client's built folder on loopback, with the configuration that the lane wants in place of its own.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";

const types = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
};

export async function serve(folder, config) {
    const server = createServer(async (request, response) => {
        const path = normalize(decodeURIComponent(new URL(request.url, "http://site").pathname));
        if (/^\/config\.json$/.test(path)) return answer(response, 200, ".json", JSON.stringify(config));
        const file = path.endsWith("/") ? `${path}index.html` : path;
        try {
            answer(response, 200, extname(file), await readFile(join(folder, file)));
        } catch {
            answer(response, 404, ".html", "not found");
        }
    });
    await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
    return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

function answer(response, status, extension, body) {
    response.writeHead(status, { "content-type": types[extension] ?? "application/octet-stream" });
    response.end(body);
}
