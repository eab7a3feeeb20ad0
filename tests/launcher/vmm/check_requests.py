"""Holds each request of the driver against cloud-hypervisor's API definition.

check_requests.py PROGRAM DEFINITION HEADER: the program prints the requests (requests_json.cc),
the definition is cloud-hypervisor.yaml, the header declares one function a request. Members that
the definition does not know are errors too: a misspelt one would be ignored by the VMM. Without a
definition the test is skipped (status 77), in CI it fails.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

SKIPPED = 77


def definition_at(path):
    if not path or not Path(path).exists():
        words = f"no API definition at '{path}': set LAUNCHER_CH_API_DEFINITION"
        print(f"skipped: {words}")
        sys.exit(words if os.environ.get("CI") else SKIPPED)
    import yaml
    return yaml.safe_load(Path(path).read_text())


def closed(schema):
    """The schema with every object closed to members that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        result.setdefault("additionalProperties", False)
    return result


def errors_of(request, definition):
    import jsonschema
    path = definition["paths"].get("/" + request["endpoint"])
    if not path or request["verb"] not in path:
        return [f"there is no {request['verb']} /{request['endpoint']}"]
    wanted = path[request["verb"]].get("requestBody")
    if not wanted:
        return [] if request["body"] is None else ["a body where none is taken"]
    # References in the schema are to the definition's own components.
    schema = {**wanted["content"]["application/json"]["schema"],
              "components": closed(definition["components"])}
    validator = jsonschema.Draft4Validator(schema)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in validator.iter_errors(request["body"])]


def declared(header):
    return set(re.findall(r"^Request (\w+)\(", Path(header).read_text(), re.MULTILINE))


def main(program, path, header):
    definition = definition_at(path)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    requests = [json.loads(line) for line in printed.splitlines()]
    wrong = [f"{request['endpoint']}: {error}\n  {request['body']}"
             for request in requests for error in errors_of(request, definition)]
    kinds = {request["endpoint"] for request in requests}
    if len(kinds) != len(declared(header)):
        wrong.append(f"{len(declared(header))} requests are declared, {len(kinds)} were checked")
    print("\n".join(wrong) or f"{len(requests)} requests of {len(kinds)} kinds are as defined")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
