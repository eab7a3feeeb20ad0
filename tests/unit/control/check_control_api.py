"""The page, the schema and the program say the same of the control socket.

check_control_api.py DOCS fake PROGRAM        a program that serves DIRECTORY/control.sock
check_control_api.py DOCS switchd PROGRAM     the real one
"""

import json
import re
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from jsonschema import Draft202012Validator

DEADLINE_SECONDS = 30
DOCS = KIND = PROGRAM = None


def blocks(text):
    """The JSON objects of a page's examples, one a line."""
    for block in re.findall(r"^```json\n(.*?)^```", text, re.S | re.M):
        yield from (json.loads(line) for line in block.splitlines())


class Client:
    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(DEADLINE_SECONDS)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rwb")
        self._id = 0

    def read(self):
        return json.loads(self._file.readline())

    def ask(self, method, params):
        self._id += 1
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self._file.write(json.dumps(request).encode() + b"\n")
        self._file.flush()
        while True:
            answer = self.read()
            if "id" in answer:
                return answer

    def close(self):
        self._file.close()
        self._socket.close()


class Server:
    """The program under test, on a directory of its own."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory()
        directory = Path(self._directory.name)
        self.control = directory / "control.sock"
        if KIND == "fake":
            command = [PROGRAM, directory]
        else:
            command = [PROGRAM, "--control-socket", self.control, "--state-file",
                       directory / "ports.json", "--port", "fixed", "--ready-fd", "1"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if not self._process.stdout.readline():
            raise AssertionError(f"{PROGRAM} ended with status {self._process.wait()}")

    def stop(self):
        self._process.stdin.close()
        if KIND != "fake":
            self._process.terminate()
        self._process.stdout.close()
        try:
            status = self._process.wait(DEADLINE_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._directory.cleanup()
        return status


# One request of each kind at least, in an order that makes all of them succeed.
REQUESTS = [
    ("status", {}),
    ("port.list", {}),
    ("port.show", {"name": "fixed"}),
    ("port.show", {"name": "fixed", "messages": True}),
    ("events.subscribe", {}),
    ("port.add", {"name": "vm1"}),
    ("port.add", {"name": "vm2", "isolated": True, "mac_limit": 3, "socket_mode": "0600",
                  "allow_uid": ["root", 1000], "allow_gid": 0,
                  "static_macs": ["52:54:00:00:00:02"], "transient": True}),
    ("port.list", {}),
    ("mac.add", {"address": "52:54:00:00:00:01", "port": "vm1"}),
    ("mac.list", {}),
    ("mac.list", {"port": "vm1"}),
    ("mac.flush", {}),
    ("mac.flush", {"port": "vm1"}),
    ("mac.remove", {"address": "52:54:00:00:00:01"}),
    ("stats.get", {}),
    ("stats.get", {"port": "vm1"}),
    ("log.set_level", {"level": "warning"}),
    ("port.remove", {"name": "vm2"}),
    ("port.remove", {"name": "vm1", "force": True}),
]


class ControlApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = (DOCS / "control-api.md").read_text()
        cls.schema = json.loads((DOCS / "control-api.schema.json").read_text())
        cls.server = Server()
        cls.client = Client(cls.server.control)
        cls.results = [(method, params, cls.client.ask(method, params))
                       for method, params in REQUESTS]

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        status = cls.server.stop()
        if status != 0:
            raise AssertionError(f"{PROGRAM} ended with status {status}")

    def valid(self, instance, schema):
        """`schema` is a part of the whole, whose $defs it refers to."""
        Draft202012Validator({**schema, "$defs": self.schema["$defs"]}).validate(instance)

    def test_page_schema_and_requests_have_the_same_methods(self):
        on_page = re.findall(r"^### (\S+)$", self.page, re.M)
        self.assertEqual(sorted(on_page), sorted(self.schema["methods"]))
        self.assertEqual({method for method, _ in REQUESTS}, set(on_page))

    def test_every_method_of_the_page_is_served_and_no_others_are(self):
        for method, _, answer in self.results:
            self.assertIn("result", answer, f"{method}: {answer}")
        self.assertEqual(self.client.ask("port.paint", {})["error"]["code"], -32601)

    def test_parameters_and_results_fit_the_schema(self):
        for method, params, answer in self.results:
            with self.subTest(method=method, params=params):
                self.valid(params, self.schema["methods"][method]["params"])
                self.valid(answer["result"], self.schema["methods"][method]["result"])

    def test_examples_of_the_page_fit_the_schema(self):
        sections = re.split(r"^### (\S+)$", self.page, flags=re.M)[1:]
        for method, text in zip(sections[::2], sections[1::2]):
            for example in blocks(text):
                with self.subTest(method=method, example=example):
                    if example.get("method") == "event":
                        self.valid(example["params"], self.schema["event"])
                    elif "method" in example:
                        self.assertEqual(example["method"], method)
                        self.valid(example.get("params", {}),
                                   self.schema["methods"][method]["params"])
                    else:
                        self.valid(example["result"], self.schema["methods"][method]["result"])

    def test_members_of_results_and_parameters_are_on_the_page(self):
        words = set(re.findall(r"`([A-Za-z0-9_]+)`|\"([a-z_]+)\":", self.page))
        known = {word for pair in words for word in pair if word}
        self.assertFalse(set(self.names(self.schema["methods"])) - known)
        for method, _, answer in self.results:
            self.assertFalse(set(self.keys(answer["result"])) - known, method)

    def names(self, schema):
        for part in schema.values():
            if isinstance(part, dict):
                yield from part.get("properties", {})
                yield from self.names(part)

    def keys(self, value):
        if isinstance(value, dict):
            yield from value
            value = list(value.values())
        if isinstance(value, list):
            for element in value:
                yield from self.keys(element)

    def test_unknown_parameters_are_refused_as_the_schema_says(self):
        for method, schemas in self.schema["methods"].items():
            with self.subTest(method=method):
                answer = self.client.ask(method, {"unknown_parameter": 1})
                self.assertEqual(answer["error"]["code"], -32602, answer)
                validator = Draft202012Validator({**schemas["params"],
                                                  "$defs": self.schema["$defs"]})
                self.assertFalse(validator.is_valid({"unknown_parameter": 1}))

    def test_events_fit_the_schema_and_their_kinds_are_on_the_page(self):
        client = Client(self.server.control)
        self.addCleanup(client.close)
        client.ask("events.subscribe", {})
        self.client.ask("port.add", {"name": "passing", "transient": True})
        self.client.ask("port.remove", {"name": "passing"})
        for kind in ("port_added", "port_removed"):
            event = client.read()
            self.assertEqual((event["method"], event["params"]["kind"]), ("event", kind))
            self.valid(event["params"], self.schema["event"])
        for kind in self.schema["event"]["properties"]["kind"]["enum"]:
            self.assertIn(f"`{kind}`", self.page)

    def test_schema_is_one(self):
        for schemas in self.schema["methods"].values():
            for schema in schemas.values():
                Draft202012Validator.check_schema({**schema, "$defs": self.schema["$defs"]})


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[2] not in ("fake", "switchd"):
        sys.exit(__doc__)
    DOCS, KIND, PROGRAM = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    unittest.main(argv=sys.argv[:1], verbosity=2)
