"""A cloud-hypervisor without guests: its API, as it answers or does not.

fake_cloud_hypervisor.py FAKE_VMM BEHAVIOUR --api-socket path=SOCKET ...

BEHAVIOUR: words with commas between them, ENDPOINT=STATUS, ENDPOINT=hang or ENDPOINT=hang-up. Like
the real one it answers one request after the other, so one that hangs is the last. FAKE_VMM is
started for the interfaces of a VM that boots: fake_vmm.cc, which attaches to the switch.
"""

import http.server
import json
import os
import select
import signal
import socket
import socketserver
import subprocess
import sys


class Machine:
    def __init__(self, program):
        self._program = program
        self._config = {}
        self._process = None

    def create(self, config):
        self._config = config

    def boot(self, _):
        control = "fake.sock"  # in the VM's directory, which is the current one
        ports = [net["vhost_socket"] for net in self._config.get("net", [])]
        self._process = subprocess.Popen([self._program, control, "plain", *ports],
                                         stdin=subprocess.PIPE)
        with socket.socket(socket.AF_UNIX) as connection:
            while connection.connect_ex(control):
                select.select([], [], [], 0.01)
            connection.sendall(b"boot\n")
            connection.recv(100)

    def end(self, _=None):
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


class Api(http.server.BaseHTTPRequestHandler):
    behaviour: dict = {}
    machine: Machine
    ends = False

    def do_GET(self):
        self._obey()

    def do_PUT(self):
        self._obey()

    def _obey(self):
        endpoint = self.path.removeprefix("/api/v1/")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = self.behaviour.get(endpoint, "204")
        if told == "hang":
            open("hangs", "x").close()  # in the VM's directory, for a test that waits for it
            signal.pause()
        if told == "hang-up":
            return
        if int(told) < 400:
            self._act(endpoint, json.loads(body or b"null"))
        self._answer(int(told), endpoint)

    def _act(self, endpoint, arguments):
        actions = {"vm.create": self.machine.create, "vm.boot": self.machine.boot,
                   "vm.shutdown": self.machine.end, "vm.power-button": self.machine.end}
        if endpoint in actions:
            actions[endpoint](arguments)
        Api.ends = endpoint in ("vmm.shutdown", "vm.power-button")

    def _answer(self, status, endpoint):
        reasons = json.dumps(["Error from API", f"No {endpoint} today"]).encode()
        self.send_response(status)
        if status >= 400:
            self.send_header("Content-Length", str(len(reasons)))
        self.end_headers()
        if status >= 400:
            self.wfile.write(reasons)

    def log_message(self, *_):
        pass


def main(program, behaviour, arguments):
    path = arguments[arguments.index("--api-socket") + 1].removeprefix("path=")
    Api.behaviour = dict(word.split("=") for word in behaviour.split(",") if word)
    Api.machine = Machine(program)
    with socketserver.UnixStreamServer(path, Api) as server:
        while not Api.ends:
            server.handle_request()
    os.unlink(path)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
