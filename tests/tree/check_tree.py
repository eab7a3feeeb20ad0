"""Rules of the source tree that no compiler checks. check_tree.py RULE [ROOT]

Each rule prints what breaks it as file:line: reason; exit status 1 when anything does.
"""

import re
import subprocess
import sys
from pathlib import Path

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
PARTS = ("vhost", "switchd", "vfio-setup", "launcher", "perf", "tests", "packaging")
# A plane may include itself and what stands to its right.
PLANES = ("control", "datapath", "bridge", "policy", "vhost")
# Named in ARCHITECTURE.md ("Threads") beside the planes' own rule.
STARTS_THREADS = ("switchd/datapath/", "vhost/door/disposer.cc")
PLANE_DIRECTORIES = {"vhost": "vhost", **{p: f"switchd/{p}" for p in PLANES if p != "vhost"}}
NOT_A_FUNCTION = re.compile(r"^\s*((inline )?namespace|class|struct|union|enum|extern \"C\"|template.*"
                            r"(class|struct)|[^()]*=)\b|^\s*[^()]*= *\{$|^\s*\{")


def sources(root):
    for part in PARTS:
        for path in sorted((root / part).rglob("*")):
            if path.suffix in (".cc", ".h") and path.is_file():
                yield path


def lines_of(path):
    return path.read_text().splitlines()


def check_file_sizes(root):
    for path in sources(root):
        count = len(lines_of(path))
        if count > MAX_FILE_LINES:
            yield path, count, f"{count} lines; {MAX_FILE_LINES} are the limit"


def statement_start(lines, last):
    """Index of the line on which the statement that ends on lines[last] starts."""
    first = last
    open_brackets = lines[last].count("(") - lines[last].count(")")
    # Unbalanced brackets, a constructor's initialisers, or a list that goes on.
    while first > 0 and (open_brackets < 0 or lines[first].lstrip().startswith(":")
                         or lines[first - 1].endswith(",")):
        first -= 1
        open_brackets += lines[first].count("(") - lines[first].count(")")
    return first


def check_function_sizes(root):
    """In formatted code a function ends at the first "}" as far left as its first line."""
    for path in sources(root):
        lines = lines_of(path)
        end = -1
        for number, line in enumerate(lines):
            if number <= end or not line.endswith("{") or NOT_A_FUNCTION.match(line):
                continue
            start = statement_start(lines, number)
            indentation = re.match(r" *", lines[start]).group()
            closing = (n for n in range(number + 1, len(lines))
                       if lines[n].startswith(indentation + "}"))
            end = next(closing, number)
            if end - start + 1 > MAX_FUNCTION_LINES:
                yield path, start + 1, f"{end - start + 1} lines; a function has at most " \
                                       f"{MAX_FUNCTION_LINES}"


def check_includes(root):
    for path in sources(root):
        relative = path.relative_to(root).as_posix()
        for number, line in enumerate(lines_of(path), 1):
            match = re.match(r'\s*#\s*include\s*["<]([^">]+)', line)
            if not match:
                continue
            included = match.group(1)
            if included.startswith("../") or "/../" in included:
                yield path, number, "include by plane and name, not by ../"
            if "rte_vhost" in included and not relative.startswith("vhost/"):
                yield path, number, f"{included}: only vhost/ speaks to rte_vhost"
            yield from ((path, number, reason) for reason in plane_breach(relative, included))


def plane_breach(relative, included):
    own = next((p for p, d in PLANE_DIRECTORIES.items() if relative.startswith(d + "/")), None)
    other = included.split("/")[0]
    if own and other in PLANES and PLANES.index(other) < PLANES.index(own):
        yield f"{own} may not include {other} ({' -> '.join(PLANES)})"


def check_threads(root):
    """Only datapath/ starts threads, of what runs inside switchd, and the door's disposer."""
    for path in sources(root):
        relative = path.relative_to(root).as_posix()
        if not relative.startswith(("vhost/", "switchd/")) or relative.startswith(STARTS_THREADS):
            continue
        for number, line in enumerate(lines_of(path), 1):
            code = line.split("//")[0]
            if re.search(r"\bstd::(jthread|thread)\b(?!::)|\bpthread_create\b|\bstd::async\b", code):
                yield path, number, f"only {' and '.join(STARTS_THREADS)} start threads"


def check_format(root):
    files = list(sources(root))
    result = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *map(str, files)],
                            capture_output=True, text=True, cwd=root, check=False)
    for line in result.stderr.splitlines():
        match = re.match(r"(.*?):(\d+):\d+: error: (.*)", line)
        if match:
            yield Path(match.group(1)), int(match.group(2)), match.group(3)


RULES = {"file_sizes": check_file_sizes, "function_sizes": check_function_sizes,
         "includes": check_includes, "threads": check_threads, "format": check_format}


def main(rule, root):
    breaches = list(RULES[rule](root))
    for path, line, reason in breaches:
        print(f"{path}:{line}: {reason}")
    checked = sum(1 for _ in sources(root))
    print(f"{rule}: {checked} files, {len(breaches)} breaches")
    return 1 if breaches or not checked else 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in RULES:
        sys.exit(f"{__doc__}\nRules: {' '.join(RULES)}")
    default_root = Path(__file__).resolve().parents[2]
    sys.exit(main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else default_root))
