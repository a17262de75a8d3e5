"""People on Hearth and on Synapse talk in encrypted rooms, through matrix-js-sdk.

    SDK=…/node_modules python e2ee_lane.py HEARTH_BINARY [--keep]

Runs in Synapse's environment (run.sh makes it). Prints steps, and "N passed, M failed".
"""

import json
import subprocess
import sys
from pathlib import Path

import lane
from person import Person
from servers import Hearth, Synapse


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
    sys.exit(lane.run(converse))
