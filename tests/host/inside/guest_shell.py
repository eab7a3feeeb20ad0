#!/usr/bin/env python3
"""guest_shell.py CONSOLE-SOCKET SECONDS COMMAND: runs a command in a guest by its serial console.

The console is the launcher's unix socket. Output and exit status are those of the command.
"""

import pathlib
import select
import socket
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

from playhost.console import Console, ConsoleTimeout  # noqa: E402


def main(path, seconds, command):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)

        def read(wait):
            return connection.recv(65536) if select.select([connection], [], [], wait)[0] else b""
        console = Console(path, read, connection.sendall)
        while data := read(0.2):  # what it said before
            console.text += data.decode(errors="replace")
        output, status = console.try_run(command, float(seconds))
    print(output)
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except ConsoleTimeout as error:
        print(error, file=sys.stderr)
        sys.exit(124)
