// What a page asked of the server and how that was answered.

export class Watch {
    constructor(page, server) {
        this.requests = [];
        const path = (request) => request.url().slice(server.length);
        page.on("requestfinished", async (request) => {
            if (!request.url().startsWith(server)) return;
            const answer = await request.response().catch(() => null);
            if (!answer) return;
            const seen = { method: request.method(), path: path(request), status: answer.status() };
            this.requests.push(seen);
            if (seen.status >= 400) seen.body = await answer.text().catch(() => "");
        });
        page.on("requestfailed", (request) => {
            if (!request.url().startsWith(server)) return;
            const body = request.failure()?.errorText;
            this.requests.push({ method: request.method(), path: path(request), status: 0, body });
        });
    }
}

// Refusals that a client reckons with: it asks in order to find out, or the step is about being refused.
const EXPECTED = [
    [401, "POST", /\/v3\/register$/, "the stages of registration"],
    [403, "POST", /\/register\?kind=guest/, "there are no guests"],
    [401, "POST", /\/(delete_devices|device_signing\/upload)$/, "the password is asked for"],
    [404, "GET", /\/room_keys\/version$/, "no backup yet"],
    [404, "GET", /\/\.well-known\/matrix\/client$/, "not configured here"],
    [404, "GET", /\/directory\/room\//, "whether an alias is free"],
    [404, "GET", /\/dehydrated_device$/, "no such device yet; the first draft of it is not served"],
    [404, "GET", /\/org\.matrix\.msc2965\/auth_(issuer|metadata)$/, "no OAuth"],
    [404, "GET", /\/thirdparty\//, "no bridges"],
    [404, "GET", /\/_matrix\/media\/v3\/(download|thumbnail)\//, "Element's hasty service worker"],
    [403, "GET", /\/members$/, "a look at an invitation into an encrypted room, before it is accepted"],
    [401, null, /./, "signed out from elsewhere"],
];

export function unexpected(requests) {
    return requests.filter(({ method, path, status, body }) => {
        if (status >= 200 && status < 400) return false;
        // A page that closes or a server that restarts ends connections; without CORS the browser makes them fail.
        if (status === 0) return body === "net::ERR_FAILED";
        const asked = path.replace(/\?(?!kind=).*/, "");
        return !EXPECTED.some(([code, verb, form]) => code === status && (verb ?? method) === method && form.test(asked));
    });
}
