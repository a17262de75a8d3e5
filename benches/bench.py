#!/usr/bin/env python3
"""Measures a hearth binary against the figures that the project promises.

    benches/bench.py BINARY [--only send10,idle] [--keep]
    benches/bench.py BINARY --against OTHER     two binaries in turns, where the machine's speed changes
    benches/bench.py BINARY --synapse PYTHON    against Synapse of that environment, measured just before

Every group of figures starts a server on a fresh directory, with durability "fsync", and talks to it over loopback as
clients do. CPU time is that of the server process; medians over batches. Needs Python 3.11 and Linux; `federated` and
`bigjoin` need openssl and pycryptodome too (`./dev bench` has it).
The exit status is the number of figures that miss their target.
"""

import argparse
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

import federation  # noqa: E402
import growth  # noqa: E402
import keys  # noqa: E402
import size  # noqa: E402
import synapse  # noqa: E402
import turns  # noqa: E402
from client import Refused  # noqa: E402
from cost import SYNAPSE_MS, Cost  # noqa: E402
from report import Report  # noqa: E402
from server import Server  # noqa: E402

GROUPS = {
    "bigroom": growth.big_room,
    "manyrooms": growth.many_rooms,
    "fsyncs": growth.fsyncs,
    "claims": keys.claims,
    "keyquery": keys.query,
    "memory": size.idle_memory,
    "filled": size.filled,
    "federated": federation.federated,
    "bigjoin": federation.big_join,
}


def costs(server, report, theirs):
    server.start()
    Cost(server, report).run(theirs)


def arguments():
    names = list(SYNAPSE_MS) + list(GROUPS)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--only", help="some of: " + ",".join(names))
    parser.add_argument("--keep", action="store_true", help="keep the directories")
    parser.add_argument("--synapse", metavar="PYTHON", help="takes the targets from Synapse as it is now")
    parser.add_argument("--against", help="compares with this binary instead, by sends and deliveries in turns")
    parser.add_argument("--dir", help="where the databases are put; a disk, not a tmpfs")
    args = parser.parse_args()
    wanted = args.only.split(",") if args.only else names
    unknown = set(wanted) - set(names)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(names)}")
    return args, wanted


def main():
    args, wanted = arguments()
    if args.against:
        turns.compare([args.binary, args.against], args.dir)
        return 0
    report = Report()
    begun = time.monotonic()
    groups = [(name, run) for name, run in GROUPS.items() if name in wanted]
    theirs = {name: value for name, value in SYNAPSE_MS.items() if name in wanted}
    if theirs and args.synapse:
        theirs |= synapse.figures(args.synapse, args.dir, wanted)
    if theirs:
        groups.insert(0, ("CPU per operation", lambda server, report: costs(server, report, theirs)))
    broken = 0
    for name, run in groups:
        server = Server(args.binary, base=args.dir)
        try:
            run(server, report)
        except (Refused, OSError, AssertionError, KeyError) as error:
            broken += 1
            log = (server.directory / "log").read_text()[-1500:]
            print(f"{name}: BROKEN: {type(error).__name__}: {error}\n{log}", flush=True)
        finally:
            if args.keep:
                server.kill()
                print(f"    kept {server.directory}")
            else:
                server.remove()
    took = time.monotonic() - begun
    print(f"\n{len(report.rows)} figures in {took:.0f} s, {report.missed()} missed, {broken} groups broken")
    return report.missed() + broken


if __name__ == "__main__":
    sys.exit(main())
