#!/usr/bin/env python3
"""Runs the test's commands inside the play host.

Requests and answers are JSON, one object a line, over a virtio-serial port. Each request runs in a
thread of its own, so a command that hangs holds up nobody; it is killed, with its process group,
at its deadline.
"""

import json
import os
import pathlib
import signal
import subprocess
import threading

PORT_NAME = "playhost"


class Agent:
    def __init__(self, port):
        self._port = port
        self._writing = threading.Lock()
        self._spawned: dict[int, subprocess.Popen] = {}

    def say(self, message: dict) -> None:
        line = (json.dumps(message) + "\n").encode()
        with self._writing:
            while line:
                line = line[os.write(self._port, line):]

    def serve(self) -> None:
        rest = b""
        while True:
            chunk = os.read(self._port, 65536)
            if not chunk:  # the test has hung up; the port says so until it is back
                threading.Event().wait(0.1)
                continue
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                threading.Thread(target=self._answer, args=(json.loads(line),),
                                 daemon=True).start()

    def _answer(self, request: dict) -> None:
        try:
            answer = getattr(self, "_op_" + request["op"])(request)
        except Exception as error:  # goes to the test, which raises it there
            answer = {"error": f"{type(error).__name__}: {error}"}
        self.say({"id": request["id"], **answer})

    @staticmethod
    def _start(request: dict, **streams) -> subprocess.Popen:
        return subprocess.Popen(request["argv"], start_new_session=True,
                                env={**os.environ, **request.get("env", {})}, **streams)

    def _op_run(self, request: dict) -> dict:
        child = self._start(request, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
        timed_out = False
        try:
            out, err = child.communicate(request.get("stdin", "").encode(), request["timeout"])
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
        return {"status": child.returncode, "out": out.decode(errors="replace"),
                "err": err.decode(errors="replace"), "timed_out": timed_out}

    def _op_spawn(self, request: dict) -> dict:
        log = open(request["log"], "ab") if request.get("log") else subprocess.DEVNULL
        child = self._start(request, stdin=subprocess.DEVNULL, stdout=log,
                            stderr=subprocess.STDOUT)
        self._spawned[child.pid] = child
        return {"pid": child.pid}

    def _op_wait(self, request: dict) -> dict:
        try:
            return {"status": self._spawned[request["pid"]].wait(request["timeout"])}
        except subprocess.TimeoutExpired:
            return {"status": None}


def open_port() -> int:
    for port in pathlib.Path("/sys/class/virtio-ports").iterdir():
        if (port / "name").read_text().strip() == PORT_NAME:
            return os.open(f"/dev/{port.name}", os.O_RDWR)
    raise SystemExit("no virtio-serial port named " + PORT_NAME)


def main() -> None:
    agent = Agent(open_port())
    agent.say({"hello": pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()})
    agent.serve()


if __name__ == "__main__":
    main()
