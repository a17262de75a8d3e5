"""Starts the server that is measured and reads from the kernel what it used."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from client import Wire


class Server:
    """A hearth process on a directory of its own."""

    def __init__(self, binary, base=None, **settings):
        self.binary = binary
        self.directory = Path(tempfile.mkdtemp(prefix="hearth-bench-", dir=base))
        self.settings = settings
        self.port = free_port()
        self.process = None

    def start(self, **settings):
        """Starts it; returns the seconds until it answered the first request."""
        self.settings.update(settings)
        config = self.directory / "hearth.toml"
        config.write_text(self._config())
        log = (self.directory / "log").open("ab")
        begun = time.monotonic()
        self.process = subprocess.Popen([self.binary, "serve", "--config", config], stdout=log, stderr=log)
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() - begun > 60:
                raise SystemExit("the server does not start:\n" + (self.directory / "log").read_text()[-2000:])
            time.sleep(0.001)
        return time.monotonic() - begun

    def _config(self):
        durability = self.settings.get("durability", "fsync")
        return f"""
server_name = "{self.settings.get("name", "bench.example")}"
data_dir = "{self.directory / 'data'}"
durability = "{durability}"
# Accounts are made by the thousand; what a password costs is not measured.
passwords = {{ memory_kib = 8, iterations = 1 }}
registration = {{ mode = "open" }}
rate_limits = {{ enabled = false }}
{self._federation()}
"""

    def _federation(self):
        port = self.settings.get("federation_port")
        if port is None:
            return f"""federation = {{ enabled = false }}
[[listeners]]
bind = "127.0.0.1:{self.port}"
serves = ["client", "metrics"]"""
        certificate, key = self.directory / "tls.crt", self.directory / "tls.key"
        if not certificate.exists():
            command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hearth"]
            command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return f"""
[federation]
allow_private_addresses = true
accept_invalid_certificates = true
trusted_key_servers = []
[[listeners]]
bind = "127.0.0.1:{self.port}"
serves = ["client", "federation", "metrics"]
[[listeners]]
bind = "127.0.0.1:{port}"
tls_certificate = "{certificate}"
tls_private_key = "{key}"
serves = ["federation"]"""

    def _answers(self):
        try:
            wire = Wire(self.address)
            wire.call("GET", "/_matrix/client/versions")
            wire.close()
            return True
        except OSError:
            return False

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        """Stops it as an operator does; returns the seconds that it took."""
        begun = time.monotonic()
        self.process.terminate()
        self.process.wait(60)
        return time.monotonic() - begun

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def cpu(self):
        """Milliseconds of CPU time so far, user and system, of all threads: utime + stime of /proc/PID/stat, read
        from the clock behind it, which counts nanoseconds instead of ticks."""
        return time.clock_gettime_ns((~self.pid << 3) | 2) / 1e6

    def written(self):
        """Bytes that the process caused to be written to disk so far."""
        for line in Path(f"/proc/{self.pid}/io").read_text().splitlines():
            if line.startswith("write_bytes"):
                return int(line.split()[1])
        raise SystemExit("no write_bytes in /proc/PID/io")

    def pss(self):
        """Megabytes of memory, shared pages by share."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        raise SystemExit("no Pss in /proc/PID/smaps_rollup")

    def metric(self, name):
        """One figure of /metrics."""
        wire = Wire(self.address)
        wire.write("GET", "/metrics")
        _, text = wire.read()
        wire.close()
        for line in text.decode().splitlines():
            if line.startswith(name + " ") or line.startswith(name + "{"):
                return float(line.rsplit(" ", 1)[1])
        raise SystemExit(f"/metrics has no {name}")

    def disk(self):
        """Bytes that the data directory takes without media."""
        total = 0
        for folder, _, files in os.walk(self.directory / "data"):
            if "media" not in Path(folder).relative_to(self.directory / "data").parts:
                total += sum((Path(folder) / file).stat().st_size for file in files)
        return total

    def compact(self):
        """Compacts the database of the stopped server; false when it has no command for that."""
        command = [self.binary, "compact", "--config", self.directory / "hearth.toml"]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fsync_ms(directory, times=40):
    """Median milliseconds of an fsync on the disk that is measured."""
    took = []
    path = Path(directory) / "fsync-probe"
    with path.open("wb") as file:
        for _ in range(times):
            file.write(b"x" * 2048)
            file.flush()
            begun = time.monotonic()
            os.fdatasync(file.fileno())
            took.append((time.monotonic() - begun) * 1000)
    path.unlink()
    return sorted(took)[times // 2]
