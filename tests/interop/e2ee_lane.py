"""People on Hearth and on Synapse talk in encrypted rooms, through matrix-js-sdk.

    SDK=…/node_modules python e2ee_lane.py HEARTH_BINARY [--keep]

Runs in Synapse's environment (run.sh makes it). Prints steps, and "N passed, M failed".
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from person import Person
from servers import Hearth, Synapse, World


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--keep", action="store_true", help="keep data and logs of the servers")
    options = parser.parse_args()
    world = World()
    failed = True
    try:
        failed = converse(world, options)
    finally:
        world.end(keep=options.keep or failed)
    return 1 if failed else 0


def converse(world, options):
    servers = {"hearth": Hearth(world, "hearth", options.binary), "synapse": Synapse(world, "synapse", sys.executable)}
    for server in servers.values():
        server.launch()
    for server in servers.values():
        server.start()
    people = {}
    for name, label in (("anna", "hearth"), ("ben", "hearth"), ("cleo", "synapse")):
        Person(servers[label], name)
        people[name] = {"url": servers[label].url, "name": name, "password": "secret"}
    script = Path(__file__).parent / "e2ee" / "conversation.mjs"
    talk = subprocess.Popen(["node", script, json.dumps(people)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in talk.stdout:
        if line.startswith("please "):
            verb, label = line.split()[1:]
            getattr(servers[label], verb)()
            talk.stdin.write("done\n")
            talk.stdin.flush()
        else:
            print(line, end="", flush=True)
    return talk.wait() != 0


if __name__ == "__main__":
    sys.exit(main())
