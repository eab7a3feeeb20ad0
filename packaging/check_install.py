"""What cmake --install puts in place works from there. check_install.py CMAKE BUILD_DIRECTORY"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CMAKE = BUILD = None


def run(*command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                            check=False)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with status "
                             f"{result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout + result.stderr


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.prefix = Path(cls.directory.name) / "prefix"
        run(CMAKE, "--install", BUILD, "--prefix", cls.prefix)

    def test_programs_run_from_there(self):
        for program in ("switchd", "switchctl", "launcher"):
            self.assertIn("Usage", run(self.prefix / "bin" / program, "--help"))

    def test_systemd_takes_the_unit(self):
        unit = self.prefix / "lib/systemd/system/switchd.service"
        self.assertEqual(run("systemd-analyze", "verify", "--man=no", unit), "")
        self.assertIn("SystemCallFilter=@system-service\n", unit.read_text())

    def test_systemd_takes_the_launchers_units(self):
        units = self.prefix / "lib/systemd/system"
        for unit in ("launcher@lab.service", "launcher-vm@app.service"):
            # A template is looked at as one of its instances.
            instance = Path(self.directory.name) / unit
            instance.write_text((units / (unit.split("@")[0] + "@.service")).read_text())
            self.assertEqual(run("systemd-analyze", "verify", "--man=no",
                                 units / "switchd.service", instance), "")

    def test_s6_takes_the_services(self):
        for name, program in (("switchd", "switchd"), ("launcher", "launcher"),
                              ("launcher-vm", "launcher")):
            service = self.prefix / "share/switchd/s6" / name
            self.assertTrue(os.access(service / "run", os.X_OK))
            run("sh", "-n", service / "run")
            self.assertIn(f"{self.prefix}/bin/{program} ", (service / "run").read_text())
            descriptor = (service / "notification-fd").read_text().strip()
            self.assertIn(f"--ready-fd {descriptor}", (service / "run").read_text())
            self.assertEqual((service / "type").read_text(), "longrun\n")

    def test_the_configuration_is_good_and_stays(self):
        configuration = self.prefix / "etc/switchd/switchd.toml"
        run(self.prefix / "bin/switchd", "--check-config", "--config", configuration,
            "--control-socket", "/run/test.sock", "--state-file", "/does/not/exist.json")
        configuration.write_text("# mine\n")
        run(CMAKE, "--install", BUILD, "--prefix", self.prefix)
        self.assertEqual(configuration.read_text(), "# mine\n")

    def test_documents_and_completion_are_there(self):
        for name in ("share/doc/switchd/control-api.md", "share/doc/switchd/LICENSE",
                     "share/doc/switchd/control-api.schema.json", "lib/sysusers.d/switchd.conf",
                     "share/doc/switchd/topology.toml", "share/doc/switchd/launcher.md"):
            self.assertTrue((self.prefix / name).is_file(), name)
        for program in ("switchctl", "launcher"):
            run("bash", "-n", self.prefix / "share/bash-completion/completions" / program)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    CMAKE, BUILD = sys.argv[1], sys.argv[2]
    unittest.main(argv=sys.argv[:1], verbosity=2)
