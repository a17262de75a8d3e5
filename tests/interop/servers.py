"""Real servers on loopback that find and trust each other: processes with names, certificates and data of their own."""

import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

SECRET = "interop"


class World:
    """A folder for everything, the authority that all servers trust, and ports that are nobody's."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="hearth-interop-"))
        self.servers = []
        self.taken = set()
        # Who stops the run stops the servers.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
        self.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=interop"
                     " -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem")

    def openssl(self, arguments):
        subprocess.run(["openssl", *arguments.split()], cwd=self.directory, check=True, capture_output=True)

    def certificate(self, label):
        """Issues a certificate for every name that a server on loopback can have."""
        (self.directory / f"{label}.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.openssl(f"req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost"
                     f" -keyout {label}.key -out {label}.csr")
        self.openssl(f"x509 -req -in {label}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2"
                     f" -extfile {label}.ext -out {label}.pem")
        return self.directory / f"{label}.pem", self.directory / f"{label}.key"

    def port(self):
        """A port below those that outgoing connections use: it must be free again when a server comes back."""
        for _ in range(1000):
            port = random.randrange(20000, 32000)
            if port in self.taken:
                continue
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            self.taken.add(port)
            return port
        raise SystemExit("no port is free")

    def end(self, keep):
        for server in self.servers:
            server.stop()
        if keep:
            print(f"logs and data of the servers are in {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


class Server:
    """A process that can be stopped, killed and started again on the same data."""

    def __init__(self, world, label, host, federation_port=None):
        self.world = world
        self.label = label
        self.directory = world.directory / label
        self.directory.mkdir()
        self.client_port = world.port()
        self.tls_port = world.port()
        # Somebody in front of the server may have the port that is in its name.
        self.name = f"{host}:{federation_port or self.tls_port}"
        self.url = f"http://127.0.0.1:{self.client_port}"
        self.process = None
        self.certificate, self.key = world.certificate(label)
        self.config = self.directory / "config"
        self.config.write_text(self.configuration())
        world.servers.append(self)

    def configuration(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def launch(self):
        """Starts the process and does not wait for it."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.directory)

    def start(self):
        if self.process is None:
            self.launch()
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"{self.url}/_matrix/client/versions", timeout=10).read()
                return self
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise SystemExit(f"{self.label} does not start:\n" + (self.directory / "log").read_text()[-3000:])

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self):
        """As a loss of power to the process: kill -9."""
        self.process.kill()
        self.process.wait()
        self.process = None


class Hearth(Server):
    def __init__(self, world, label, binary, host="localhost", federation_port=None):
        self.binary = binary
        super().__init__(world, label, host, federation_port)

    def command(self):
        return [self.binary, "serve", "--config", self.config]

    def configuration(self):
        return f"""
server_name = "{self.name}"
data_dir = "{self.directory / 'data'}"
registration = {{ shared_secret = "{SECRET}" }}
rate_limits = {{ enabled = false }}
[[listeners]]
bind = "127.0.0.1:{self.client_port}"
serves = ["client", "federation"]
[[listeners]]
bind = "127.0.0.1:{self.tls_port}"
tls_certificate = "{self.certificate}"
tls_private_key = "{self.key}"
serves = ["federation"]
[federation]
allow_private_addresses = true
extra_root_certificates = ["{self.world.directory / 'ca.pem'}"]
trusted_key_servers = []
"""


class Synapse(Server):
    def __init__(self, world, label, python, host="127.0.0.1"):
        self.python = python
        super().__init__(world, label, host)

    def command(self):
        return [self.python, "-m", "synapse.app.homeserver", "--config-path", self.config]

    def configuration(self):
        # The interpreter of the environment makes the key: the module is Synapse's own.
        key = self.directory / "signing.key"
        make = "from signedjson import key; import sys; key.write_signing_keys(sys.stdout, [key.generate_signing_key('interop')])"
        key.write_bytes(subprocess.run([self.python, "-c", make], check=True, capture_output=True).stdout)
        logs = self.directory / "log.yaml"
        logs.write_text(SYNAPSE_LOGS)
        return f"""
server_name: "{self.name}"
public_baseurl: {self.url}/
report_stats: false
signing_key_path: {key}
media_store_path: {self.directory / 'media'}
log_config: {logs}
database: {{name: sqlite3, args: {{database: {self.directory / 'homeserver.db'}}}}}
listeners:
  - {{port: {self.client_port}, bind_addresses: [127.0.0.1], type: http, resources: [{{names: [client]}}]}}
  - {{port: {self.tls_port}, bind_addresses: [127.0.0.1], type: http, tls: true, resources: [{{names: [federation]}}]}}
tls_certificate_path: {self.certificate}
tls_private_key_path: {self.key}
federation_custom_ca_list: [{self.world.directory / 'ca.pem'}]
registration_shared_secret: {SECRET}
bcrypt_rounds: 4
{SYNAPSE_COMMON}"""


SYNAPSE_LOGS = """
version: 1
formatters: {line: {format: '%(asctime)s %(levelname)s %(name)s %(message)s'}}
handlers: {console: {class: logging.StreamHandler, formatter: line}}
root: {level: INFO, handlers: [console]}
loggers: {synapse.access: {level: WARNING}, synapse.storage.SQL: {level: WARNING}}
disable_existing_loggers: false
"""

# Loopback is let in, nobody is slowed down, and a server that was away is tried again within seconds.
SYNAPSE_COMMON = """
ip_range_blacklist: []
trusted_key_servers: []
allow_public_rooms_over_federation: true
room_list_publication_rules: [{action: allow}]
federation: {destination_min_retry_interval: 1s, destination_retry_multiplier: 2, destination_max_retry_interval: 4s}
rc_federation: {window_size: 1000, sleep_limit: 99999, sleep_delay: 1, reject_limit: 99999, concurrent: 99}
rc_message: &unlimited {per_second: 9999, burst_count: 9999}
rc_registration: *unlimited
rc_login: {address: *unlimited, account: *unlimited, failed_attempts: *unlimited}
rc_joins: {local: *unlimited, remote: *unlimited}
rc_joins_per_room: *unlimited
rc_invites: {per_room: *unlimited, per_user: *unlimited, per_issuer: *unlimited}
rc_room_creation: *unlimited
rc_media_create: *unlimited
rc_admin_redaction: *unlimited
federation_rr_transactions_per_room_per_second: 9999
"""
