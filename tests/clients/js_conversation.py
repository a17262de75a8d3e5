"""Starts the server for conversation.mjs, and restarts it when that asks for it."""

import subprocess
import sys
from pathlib import Path

from hearth import TOKEN, Server
from picture import png


def main(binary):
    server = Server(binary)
    picture = server.directory / "picture.png"
    picture.write_bytes(png(320, 200))
    command = ["node", Path(__file__).parent / "conversation.mjs", server.url, TOKEN, picture]
    talk = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    failed = False
    for line in talk.stdout:
        if line == "restart\n":
            server.restart()
            talk.stdin.write("restarted\n")
            talk.stdin.flush()
        else:
            print(line, end="", flush=True)
            failed |= line.startswith("FAIL")
    status = talk.wait()
    if failed or status:
        print("--- log of the server:", server.tail(), sep="\n")
    server.remove()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
