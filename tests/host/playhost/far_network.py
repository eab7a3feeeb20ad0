"""What lies beyond the play host's NIC.

    play host's NIC -- tap0 [near: DHCP, RA, DNS, forwarding] veth -- [far machine, tcpdump]

"near" is the sandbox's own network namespace, where QEMU runs; the far machine is a namespace of
its own, one more hop away. LAN number n is 10.77.n.0/24 and fd77:n::/64, one tap each, with near
at .1 and ::1; the far machine is 10.88.0.2 and fd88::2, named far.example.
"""

import pathlib
import shutil
import subprocess
import threading
import time

from .sandbox import on_parent_exit

FAR_NAME = "far.example"
FAR_ADDRESS = "10.88.0.2"
FAR_ADDRESS6 = "fd88::2"
DOMAIN = "play.example"


def _ip(*words: str, namespace: list[str] | None = None) -> str:
    return subprocess.run([*(namespace or []), "ip", *words], check=True, text=True,
                          capture_output=True).stdout


class FarNetwork:
    def __init__(self, directory: pathlib.Path, lans: int = 1):
        for tool in ("dnsmasq", "tcpdump", "nsenter", "ip"):
            if not shutil.which(tool):
                raise RuntimeError(f"no {tool}: install what scripts/install-deps names")
        self._directory = directory
        self._children: list[subprocess.Popen] = []
        self.taps = [f"tap{number}" for number in range(lans)]
        self._leases = directory / "leases"
        self._make_far_machine()
        for number, tap in enumerate(self.taps):
            self._make_lan(number, tap)
        self._start_dnsmasq()

    def _start(self, argv, **options) -> subprocess.Popen:
        child = subprocess.Popen([str(word) for word in argv], preexec_fn=on_parent_exit, **options)
        self._children.append(child)
        return child

    def _make_far_machine(self) -> None:
        holder = self._start(["unshare", "--net", "sh", "-c", "echo up; exec sleep infinity"],
                             stdout=subprocess.PIPE)
        assert holder.stdout.readline() == b"up\n"
        self.namespace = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "up0", "type", "veth", "peer", "name", "far0", "netns", str(holder.pid))
        _ip("addr", "add", "10.88.0.1/24", "dev", "up0")
        _ip("addr", "add", "fd88::1/64", "dev", "up0", "nodad")
        _ip("link", "set", "up0", "up")
        for words in (["link", "set", "lo", "up"],
                      ["addr", "add", f"{FAR_ADDRESS}/24", "dev", "far0"],
                      ["addr", "add", f"{FAR_ADDRESS6}/64", "dev", "far0", "nodad"],
                      ["link", "set", "far0", "up"],
                      ["route", "add", "default", "via", "10.88.0.1"],
                      ["-6", "route", "add", "default", "via", "fd88::1"]):
            _ip(*words, namespace=self.namespace)
        for name in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            pathlib.Path("/proc/sys", name).write_text("1")

    @staticmethod
    def _make_lan(number: int, tap: str) -> None:
        _ip("tuntap", "add", tap, "mode", "tap")
        _ip("addr", "add", f"10.77.{number}.1/24", "dev", tap)
        _ip("addr", "add", f"fd77:{number}::1/64", "dev", tap, "nodad")
        _ip("link", "set", tap, "up")

    def _start_dnsmasq(self) -> None:
        ranges = []
        for number, tap in enumerate(self.taps):
            ranges += [f"--interface={tap}",
                       f"--dhcp-range=10.77.{number}.100,10.77.{number}.199,255.255.255.0,1h",
                       f"--dhcp-range=fd77:{number}::,ra-only,64,1h"]
        with open(self._directory / "dnsmasq.log", "wb") as log:
            self._start(
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                 "--no-hosts", "--user=root", "--group=root", "--pid-file=", "--enable-ra",
                 "--log-facility=-", "--log-dhcp", f"--dhcp-leasefile={self._leases}",
                 "--bind-dynamic", "--dhcp-authoritative", "--no-ping", f"--domain={DOMAIN}",
                 f"--address=/{FAR_NAME}/{FAR_ADDRESS}", f"--address=/{FAR_NAME}/{FAR_ADDRESS6}",
                 *ranges],
                stdout=log, stderr=subprocess.STDOUT)

    def leases(self) -> dict[str, str]:
        """Address by MAC address of every lease that was given."""
        if not self._leases.exists():
            return {}
        fields = (line.split() for line in self._leases.read_text().splitlines())
        return {words[1]: words[2] for words in fields if len(words) >= 4}

    def run(self, *argv: str, timeout: float = 10) -> subprocess.CompletedProcess:
        """A command on the far machine."""
        return subprocess.run([*self.namespace, *argv], text=True, capture_output=True,
                              timeout=timeout)

    def start(self, *argv: str, **options) -> subprocess.Popen:
        """A program that goes on running on the far machine."""
        return self._start([*self.namespace, *argv], **options)

    def serve_tcp(self, port: int) -> subprocess.Popen:
        """Answers each TCP connection (both families) with length and SHA-256 of what it sent."""
        script = pathlib.Path(__file__).with_name("tcp_sink.py")
        server = self.start("python3", str(script), str(port), stdout=subprocess.PIPE)
        assert server.stdout.readline() == b"listening\n"
        return server

    def capture(self, expression: str = "") -> "Capture":
        """Starts a capture on the far machine's interface."""
        return Capture(self, "far0", expression)

    def close(self) -> None:
        for child in reversed(self._children):
            child.kill()
            child.wait()
            for stream in (child.stdout, child.stderr):
                if stream:
                    stream.close()


class Capture:
    """A running tcpdump; its lines are kept as they come."""

    def __init__(self, network: FarNetwork, interface: str, expression: str):
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._process = network.start("tcpdump", "-n", "-S", "-l", "--immediate-mode", "-i", interface,
                                      *expression.split(), stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        for line in self._process.stderr:
            if "listening on" in line:
                break
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout:
            with self._changed:
                self._lines.append(line.rstrip())
                self._changed.notify_all()

    def lines(self) -> list[str]:
        with self._changed:
            return list(self._lines)

    def wait_for(self, text: str, timeout: float = 10) -> str:
        """The first line with `text` in it."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for line in self._lines:
                    if text in line:
                        return line
                if not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"nothing with {text!r} was captured: {self._lines}")

    def stop(self) -> list[str]:
        self._process.terminate()
        self._process.wait()
        return self.lines()
