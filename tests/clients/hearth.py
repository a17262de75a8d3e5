"""A hearth server that is started for a conversation and can be restarted on the same data."""

import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

TOKEN = "let-me-in"


class Server:
    def __init__(self, binary):
        self.directory = Path(tempfile.mkdtemp(prefix="hearth-clients-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.binary = binary
        self.config = self.directory / "hearth.toml"
        # What a newcomer has, but that these two talk faster than people.
        self.config.write_text(
            f"""
server_name = "clients.example"
data_dir = "{self.directory / 'data'}"
registration = {{ mode = "token", token = "{TOKEN}" }}
rate_limits = {{ enabled = false }}
federation = {{ enabled = false }}
[[listeners]]
bind = "127.0.0.1:{self.port}"
serves = ["client"]
"""
        )
        self.start()

    def start(self):
        self.log = (self.directory / "log").open("ab")
        self.process = subprocess.Popen([self.binary, "serve", "--config", self.config], stdout=self.log, stderr=self.log)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/_matrix/client/versions").read()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise SystemExit("the server does not start:\n" + self.tail())

    def restart(self):
        self.stop()
        self.start()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self):
        return (self.directory / "log").read_text()[-3000:]

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
