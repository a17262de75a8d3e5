"""Hearth and Synapse talk to each other, as two operators would have them.

    python synapse_lane.py HEARTH_BINARY [--versions 10,11] [--keep]

Runs in Synapse's environment (run.sh makes it). Prints a table of steps, per room version and place of birth, and
"N passed, M failed".
"""

import sys

import lane
import outages
import people
import rooms
from outages import Outages
from person import Person
from rooms import Room
from servers import Hearth, Synapse
from table import Table

VERSIONS = ["6", "9", "10", "11", "12"]


def converse(world, options):
    hearth = Hearth(world, "hearth", options.binary)
    synapse = Synapse(world, "synapse", sys.executable)
    for server in (hearth, synapse):
        server.launch()
    for server in (hearth, synapse):
        server.start()
    alice, carl = Person(hearth, "alice"), Person(hearth, "carl")
    bob, dora = Person(synapse, "bob"), Person(synapse, "dora")
    versions = options.versions.split(",") if options.versions else VERSIONS
    built = [Room(version, *cast) for version in versions for cast in ((alice, bob, dora), (bob, alice, carl))]
    table = Table([short(room) for room in built] + ["H>S", "S>H"])
    for room in built:
        for step in rooms.STEPS:
            table.run(short(room), step, room)
    whole = [room for room in built if short(room) not in table.broken]
    if whole:
        for step in people.STEPS:
            table.run("H>S", step, alice, bob, whole[0].id)
            table.run("S>H", step, bob, alice, whole[0].id)
        all_rooms = Outages(whole, (hearth, synapse))
        for step in outages.STEPS:
            table.run("H>S", step, all_rooms, synapse, hearth)
            table.run("S>H", step, all_rooms, hearth, synapse)
    print("\nHearth and Synapse: rooms by version and by the server that made them (H or S), then from one to the other")
    table.show()
    return table.failed > 0


def short(room):
    return f"{room.version}{room.owner.server.label[0].upper()}"


if __name__ == "__main__":
    sys.exit(lane.run(converse))
