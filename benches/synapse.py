"""Synapse on SQLite, measured as hearth is: its figures of this hour are a better yardstick than those of another day."""

import subprocess
import time

from cost import SYNAPSE_MS, Cost
from report import Report
from server import Server

MAKE_KEY = """
import sys
from signedjson import key
key.write_signing_keys(sys.stdout, [key.generate_signing_key("bench")])
"""
LOGS = """
version: 1
handlers: {console: {class: logging.StreamHandler}}
root: {level: WARNING, handlers: [console]}
"""
# Nobody is slowed down, and a password costs next to nothing, as with hearth.
CONFIG = """
server_name: bench.example
public_baseurl: http://127.0.0.1:{port}/
report_stats: false
signing_key_path: {directory}/signing.key
media_store_path: {directory}/media
log_config: {directory}/log.yaml
database: {{name: sqlite3, args: {{database: {directory}/homeserver.db}}}}
listeners:
  - {{port: {port}, bind_addresses: [127.0.0.1], type: http, resources: [{{names: [client]}}]}}
enable_registration: true
enable_registration_without_verification: true
bcrypt_rounds: 4
trusted_key_servers: []
rc_message: &unlimited {{per_second: 9999, burst_count: 9999}}
rc_registration: *unlimited
rc_login: {{address: *unlimited, account: *unlimited, failed_attempts: *unlimited}}
rc_joins: {{local: *unlimited, remote: *unlimited}}
rc_joins_per_room: *unlimited
rc_room_creation: *unlimited
rc_media_create: *unlimited
"""
FROM_CACHES = ("again", "page")
"""What Synapse answers from its caches when it is asked so often: of these the table tells more."""
PATIENCE = 60
"""Seconds that a start may take."""


class Synapse(Server):
    """A Synapse of the environment whose interpreter is `binary`."""

    def start(self):
        directory = self.directory
        key = subprocess.run([self.binary, "-c", MAKE_KEY], check=True, capture_output=True).stdout
        (directory / "signing.key").write_bytes(key)
        (directory / "log.yaml").write_text(LOGS)
        config = directory / "homeserver.yaml"
        config.write_text(CONFIG.format(port=self.port, directory=directory))
        command = [self.binary, "-m", "synapse.app.homeserver", "--config-path", config]
        log = (directory / "log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
        begun = time.monotonic()
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() - begun > PATIENCE:
                raise SystemExit("Synapse does not start:\n" + (directory / "log").read_text()[-2000:])
            time.sleep(0.1)


def figures(python, base, wanted):
    """Milliseconds of CPU by the names of SYNAPSE_MS, measured now."""
    server = Synapse(python, base=base)
    try:
        server.start()
        cost = Cost(server, Report())
        now = [name for name in SYNAPSE_MS if name in wanted and name not in FROM_CACHES]
        return {name: getattr(cost, name)() for name in now}
    finally:
        server.remove()
