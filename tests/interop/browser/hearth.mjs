// A Hearth on loopback that can be restarted on the same data.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const TOKEN = "let-me-in";

export class Hearth {
    static async start(binary) {
        const server = new Hearth();
        server.binary = binary;
        server.folder = await mkdtemp(join(tmpdir(), "hearth-browser-"));
        server.port = await freePort();
        server.url = `http://127.0.0.1:${server.port}`;
        server.name = "browser.example";
        // As a newcomer has it, with the rate limits, but that all come from one address.
        const many = "{ per_second = 100.0, burst = 100 }";
        await writeFile(
            join(server.folder, "hearth.toml"),
            `server_name = "${server.name}"
data_dir = "${join(server.folder, "data")}"
registration = { mode = "token", token = "${TOKEN}" }
federation = { enabled = false }
rate_limits = { login = ${many}, registration = ${many}, registration_token = ${many} }
[[listeners]]
bind = "127.0.0.1:${server.port}"
serves = ["client"]
`,
        );
        await server.run();
        return server;
    }

    async run() {
        const log = await open(join(this.folder, "log"), "a");
        this.process = spawn(this.binary, ["serve", "--config", join(this.folder, "hearth.toml")], {
            stdio: ["ignore", log.fd, log.fd],
        });
        this.ended = once(this.process, "exit");
        await log.close();
        for (let tries = 0; tries < 600; tries++) {
            try {
                await fetch(`${this.url}/_matrix/client/versions`);
                return;
            } catch {
                if (this.process.exitCode !== null) break;
                await new Promise((later) => setTimeout(later, 50));
            }
        }
        throw new Error(`the server does not start: see ${this.folder}/log`);
    }

    async stop() {
        this.process.kill("SIGTERM");
        await this.ended;
    }

    async restart() {
        await this.stop();
        await this.run();
    }

    async remove() {
        await this.stop();
        await rm(this.folder, { recursive: true, force: true });
    }
}

async function freePort() {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address();
    probe.close();
    await once(probe, "close");
    return port;
}
