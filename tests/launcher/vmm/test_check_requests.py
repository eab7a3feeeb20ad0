"""check_requests.py finds what it is there for."""

import unittest

from check_requests import closed, errors_of

DEFINITION = {
    "paths": {"/vm.boot": {"put": {}}, "/vm.add-net": {"put": {"requestBody": {"content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/Net"}}}}}}},
    "components": {"schemas": {
        "Net": {"type": "object", "required": ["id"], "properties": {
            "id": {"type": "string"}, "mode": {"$ref": "#/components/schemas/Mode"}}},
        "Mode": {"type": "object", "properties": {"name": {"enum": ["Tty"]}}}}}}


def errors(endpoint, body, verb="put"):
    return errors_of({"verb": verb, "endpoint": endpoint, "body": body}, DEFINITION)


class CheckRequests(unittest.TestCase):
    def test_what_is_as_defined_passes(self):
        self.assertEqual(errors("vm.add-net", {"id": "a", "mode": {"name": "Tty"}}), [])
        self.assertEqual(errors("vm.boot", None), [])

    def test_what_is_not_is_found(self):
        self.assertIn("there is no put /vm.fly", errors("vm.fly", None)[0])
        self.assertIn("there is no get /vm.boot", errors("vm.boot", None, "get")[0])
        self.assertTrue(errors("vm.boot", {}))
        self.assertIn("'id' is a required property", errors("vm.add-net", {})[0])
        self.assertIn("is not of type", errors("vm.add-net", {"id": 1})[0])
        self.assertIn("unexpected", errors("vm.add-net", {"id": "a", "mtuu": 1})[0])
        self.assertIn("mode/name", errors("vm.add-net", {"id": "a", "mode": {"name": "x"}})[0])
        self.assertTrue(errors("vm.add-net", None))

    def test_open_objects_stay_open(self):
        self.assertEqual(closed({"type": "object"}), {"type": "object"})


if __name__ == "__main__":
    unittest.main()
