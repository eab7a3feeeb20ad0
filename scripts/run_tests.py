"""Runs CTest, and holds what it skipped against the list of what may be skipped.

run_tests.py TEST-DIRECTORY SKIP-LIST [CTEST-OPTION...]

CTest's output passes through as it comes; its closing summary is held back until the skips were
judged and printed, so that it stands last. Fails when a test failed, when one was skipped that the
list does not allow, or when the tests left a process behind.
"""

import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path

# Set for every process of the run, and so seen in each that outlives it.
MARK = "SWITCHD_TEST_RUN"
# Tests of this kind run one at a time anyway (RUN_SERIAL); the others are light.
PARALLEL = "2"
# Emulated machines and real sockets on a machine that others use too: a test that fails is run once
# more, and CTest prints both. What fails twice has failed.
REPEAT = "until-pass:2"


@dataclass
class AllowedSkip:
    pattern: str
    message: str

    def allows(self, name, output):
        return fnmatch.fnmatchcase(name, self.pattern) and self.message in output


def read_skip_list(path):
    allowed = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, bar, message = (part.strip() for part in line.partition("|"))
        if not (pattern and bar and message):
            sys.exit(f"{path}:{number}: expected PATTERN | MESSAGE")
        allowed.append(AllowedSkip(pattern, message))
    return allowed


def run_ctest(directory, results, options, environment):
    """CTest's exit status and its closing lines, which have not been printed."""
    command = ["ctest", "--test-dir", directory, "--output-on-failure", "--no-tests=error",
               "-j", PARALLEL, "--repeat", REPEAT, "--output-junit", results, *options]
    ctest = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True,
                             errors="replace", env=environment)
    closing = []
    try:
        for line in ctest.stdout:
            if closing or re.match(r"\d+% tests passed", line):
                closing.append(line)
            else:
                print(line, end="", flush=True)
    except KeyboardInterrupt:
        ctest.send_signal(signal.SIGINT)
        raise
    finally:
        status = ctest.wait()
    return status, closing


def skipped_tests(results):
    """(name, output) of each test that CTest knows and did not run."""
    if not results.exists():
        return []
    cases = xml.etree.ElementTree.parse(results).getroot().iter("testcase")
    return [(case.get("name"), case.findtext("system-out") or "")
            for case in cases if case.get("status") in ("notrun", "disabled")]


def judge_skips(skipped, allowed):
    """Prints every skip; returns whether each is allowed."""
    all_allowed = True
    for name, output in skipped:
        match = next((skip for skip in allowed if skip.allows(name, output)), None)
        if match:
            print(f"  skipped: {name}: {match.message}")
        else:
            all_allowed = False
            print(f"  SKIPPED, and the list does not allow it: {name}\n{output.rstrip()}")
    print(f"{len(skipped)} skipped" + ("" if all_allowed else ": THE RUN FAILS"))
    return all_allowed


def end_leftovers(mark):
    """Kills what the tests left running; returns whether that was nothing."""
    clean = True
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() not in (process / "environ").read_bytes().split(b"\0"):
                continue
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if not command:  # a zombie
                continue
            clean = False
            print(f"LEFT RUNNING by the tests, killed: {process.name} {command}")
            os.kill(int(process.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return clean


def main(directory, skip_list, options):
    allowed = read_skip_list(skip_list)
    mark = str(uuid.uuid4())
    # Short, for the sockets in it, and open to the users that tests become.
    scratch = tempfile.mkdtemp(prefix="swt-")
    os.chmod(scratch, 0o1777)
    environment = {**os.environ, MARK: mark, "TMPDIR": scratch, "TEST_TMPDIR": scratch}
    results = Path(directory).resolve() / "results.xml"
    results.unlink(missing_ok=True)
    try:
        status, closing = run_ctest(directory, results, options, environment)
    finally:
        clean = end_leftovers(mark)
        shutil.rmtree(scratch, ignore_errors=True)
    print("\nSkipped tests:")
    skips_allowed = judge_skips(skipped_tests(results), allowed)
    print("".join(["\n", *closing]), end="", flush=True)
    return status or (0 if skips_allowed and clean and closing else 1)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
