"""What all lanes share: their options, a world for their servers, and what is kept of it when something fails."""

import argparse

from servers import World
from table import Table


def run(converse):
    """Calls `converse(world, options)`, which answers whether something failed; an exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--versions", help="room versions, with commas, where rooms of several versions are tried")
    parser.add_argument("--keep", action="store_true", help="keep data and logs of the servers")
    options = parser.parse_args()
    world = World()
    failed = True
    try:
        failed = converse(world, options)
    finally:
        world.end(keep=options.keep or failed)
    return 1 if failed else 0


def go_through(steps, title, town):
    """Runs `steps` on `town`, one after the other, and shows how they went; whether something failed."""
    table = Table([""])
    for step in steps:
        table.run("", step, town)
    print(f"\n{title}")
    table.show()
    return table.failed > 0
