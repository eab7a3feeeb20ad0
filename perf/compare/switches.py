"""The switches that are compared: each starts with so many ports on one CPU, says which probe of
switch-bench asks it, and goes without a trace.

A switch that is not being measured is stopped (SIGSTOP), all its processes alike.
"""

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import time

from packages import Package, run

START_TIME = 60  # seconds until a switch must listen


class SwitchError(RuntimeError):
    pass


def die_with_parent():
    """In the child: even when the harness is killed, no switch stays behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def listens(path):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


class Switch:
    name = ""
    all_patterns = True  # False: forwards only between neighbouring ports
    takes_segments = False  # 64 KiB of TCP at once
    ring = "split"  # what its guests negotiate
    connects = False  # to sockets that the guests listen on

    def __init__(self, directory, ports, cpu, load_cpu):
        self.directory = os.path.join(directory, f"{self.name}-{ports}")
        os.mkdir(self.directory)
        self.ports = ports
        self.cpu = cpu
        self.load_cpu = load_cpu
        self._processes = []

    # -- what each one has
    def start(self):
        raise NotImplementedError

    def probe(self):
        """Arguments for switch-bench."""
        return ["--probe", "none"]

    def before_run(self):
        pass

    def after_run(self, result):
        """May complete switch-bench's result."""

    # -- common to all
    def sockets(self):
        return [os.path.join(self.directory, f"p{i}") for i in range(self.ports)]

    def spawn(self, arguments, environment=None, stdin=subprocess.DEVNULL):
        log = open(os.path.join(self.directory, "log"), "ab")
        process = subprocess.Popen(arguments, cwd=self.directory, env=environment, stdin=stdin,
                                   stdout=log, stderr=log, start_new_session=True,
                                   preexec_fn=die_with_parent)
        log.close()
        self._processes.append(process)
        return process

    def wait_for(self, condition, what):
        deadline = time.monotonic() + START_TIME
        while not condition():
            for process in self._processes:
                if process.poll() is not None:
                    raise SwitchError(f"{self.name} ended: {self.log_end()}")
            if time.monotonic() > deadline:
                raise SwitchError(f"{self.name}: {what}: {self.log_end()}")
            time.sleep(0.05)

    def wait_for_sockets(self):
        self.wait_for(lambda: all(os.path.exists(path) for path in self.sockets()),
                      "its sockets do not appear")

    def log_text(self):
        with open(os.path.join(self.directory, "log"), errors="replace", encoding="utf-8") as log:
            return log.read()

    def log_end(self):
        return self.log_text()[-600:].strip()

    def pause(self):
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)

    def resume(self):
        for process in self._processes:
            process.send_signal(signal.SIGCONT)

    def close(self):
        for process in reversed(self._processes):
            process.terminate()
            process.send_signal(signal.SIGCONT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


class Switchd(Switch):
    name = "switchd"
    takes_segments = True

    def __init__(self, program, *arguments):
        super().__init__(*arguments)
        self._program = program
        self._control = os.path.join(self.directory, "control.sock")

    def start(self):
        state = os.path.join(self.directory, "ports.json")
        arguments = [self._program, "--state-file", state, "--workers", str(self.cpu),
                     "--poll", "busy",
                     "--control-socket", self._control, "--socket-dir", self.directory]
        arguments += self.port_arguments()
        # Its main thread belongs on the load's CPU: the worker pins itself.
        self.spawn(["taskset", "-c", f"{self.load_cpu},{self.cpu}"] + arguments)
        self.wait_for_sockets()
        self.wait_for(lambda: os.path.exists(self._control), "its control socket does not appear")

    def port_arguments(self):
        return [word for i, path in enumerate(self.sockets()) for word in ("--port", f"p{i}={path}")]

    def probe(self):
        return ["--probe", f"switchd:{self._control}"]


class SwitchdPacked(Switchd):
    """The same with packed rings, which a port offers where its table says so."""

    name = "switchd-packed"
    ring = "packed"

    def port_arguments(self):
        file = os.path.join(self.directory, "switchd.toml")
        with open(file, "w", encoding="utf-8") as tables:
            for i, path in enumerate(self.sockets()):
                tables.write(f'[[port]]\nname = "p{i}"\nsocket = "{path}"\npacked = true\n')
        return ["--config", file]


class OpenVSwitch(Switch):
    """Open vSwitch with DPDK as Debian builds it: user-space datapath, one bridge, NORMAL."""

    name = "ovs"
    settings = ()

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._control = os.path.join(self.directory, "vswitchd.ctl")
        self._database = f"unix:{self.directory}/db.sock"

    def start(self):
        self._package = Package("openvswitch-switch-dpdk",
                                "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk",
                                os.path.dirname(self.directory))
        self._environment = self._package.environment() | {
            f"OVS_{what}": self.directory
            for what in ("RUNDIR", "DBDIR", "LOGDIR", "SYSCONFDIR")}
        self._start_database()
        self._configure()
        # In a network namespace of its own: it makes an interface of a name that all of them use.
        self.spawn(["unshare", "--net",
                    self._package.path("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"),
                    self._database, f"--unixctl={self._control}", "-vconsole:warn"],
                   self._environment)
        self.wait_for(lambda: listens(self._control), "it does not answer")
        self._vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for i in range(self.ports):
            self._vsctl("add-port", "br0", f"p{i}", "--", "set", "Interface", f"p{i}",
                        *self.interface(i))
        if not self.connects:
            self.wait_for_sockets()

    def interface(self, _number):
        return ["type=dpdkvhostuser"]

    def _start_database(self):
        path = self._package.path
        file = os.path.join(self.directory, "conf.db")
        run([path("/usr/bin/ovsdb-tool"), "create", file,
             path("/usr/share/openvswitch/vswitch.ovsschema")], env=self._environment)
        self.spawn([path("/usr/sbin/ovsdb-server"), file, "-vconsole:warn",
                    f"--remote=p{self._database}", f"--unixctl={self.directory}/ovsdb.ctl"],
                   self._environment)
        self.wait_for(lambda: listens(os.path.join(self.directory, "db.sock")),
                      "its database does not answer")

    def _configure(self):
        eal = ["--in-memory", "--no-pci"] + self._package.dpdk_drivers()
        self._vsctl("--no-wait", "init")
        self._vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                    f"other_config:dpdk-lcore-mask={1 << self.load_cpu:#x}",
                    f"other_config:pmd-cpu-mask={1 << self.cpu:#x}",
                    "other_config:dpdk-socket-mem=1024", *self.settings,
                    f'other_config:dpdk-extra="{" ".join(eal)}"')

    def _vsctl(self, *arguments):
        run([self._package.path("/usr/bin/ovs-vsctl"), f"--db={self._database}", "--timeout=60",
             *arguments], env=self._environment)

    def probe(self):
        return ["--probe", f"ovs:{self._control}"]


class OpenVSwitchTso(OpenVSwitch):
    """The same, told to let its guests send segments: it does where it is the one that connects."""

    name = "ovs-tso"
    takes_segments = True
    connects = True
    settings = ("other_config:userspace-tso-enable=true",)

    def interface(self, number):
        return ["type=dpdkvhostuserclient",
                f"options:vhost-server-path={self.sockets()[number]}"]


class Testpmd(Switch):
    """dpdk-testpmd forwarding between neighbouring ports, looking at nothing: not a switch, but
    the least that two copies through rte_vhost cost. Its cycles are its own count of them."""

    name = "testpmd"
    all_patterns = False

    def start(self):
        package = Package("dpdk-dev", "/usr/bin/dpdk-testpmd", os.path.dirname(self.directory))
        arguments = ["stdbuf", "-oL", package.path("/usr/bin/dpdk-testpmd"), "--in-memory", "--no-pci", "-m", "256",
                     "-l", ",".join(str(cpu) for cpu in sorted({self.cpu, self.load_cpu})),
                     "--main-lcore", str(self.load_cpu)] + package.dpdk_drivers()
        for i, path in enumerate(self.sockets()):
            arguments += ["--vdev", f"net_vhost{i},iface={path}"]
        arguments += ["--", "--interactive", "--forward-mode=io", "--auto-start", "--nb-cores=1",
                      "--no-mlockall", "--record-core-cycles", "--total-num-mbufs=32768"]
        self._terminal = self.spawn(arguments, package.environment(), subprocess.PIPE).stdin
        self.wait_for_sockets()

    def _say(self, line):
        self._terminal.write(f"{line}\n".encode())
        self._terminal.flush()

    def before_run(self):
        self._say("clear fwd stats all")

    def after_run(self, result):
        pattern = re.compile(r"CPU cycles/packet=([0-9.]+)")
        before = len(pattern.findall(self.log_text()))
        self._say("show fwd stats all")
        self.wait_for(lambda: len(pattern.findall(self.log_text())) > before,
                      "it does not say its cycles")
        result["cycles_a_frame"] = float(pattern.findall(self.log_text())[-1])


class Vpp(Switch):
    """VPP's layer-2 bridge over its vhost-user interfaces, one worker."""

    name = "vpp"

    def __init__(self, prefix, *arguments):
        super().__init__(*arguments)
        self._prefix = prefix
        self._cli = os.path.join(self.directory, "cli.sock")

    def start(self):
        directory = self.directory
        with open(os.path.join(directory, "startup.conf"), "w", encoding="ascii") as file:
            file.write(f"unix {{ nodaemon cli-listen {self._cli} runtime-dir {directory} }}\n"
                       f"api-segment {{ prefix compare-{os.getpid()} }}\n"
                       f"statseg {{ socket-name {directory}/stats.sock }}\n"
                       f"cpu {{ main-core {self.load_cpu} corelist-workers {self.cpu} }}\n"
                       "buffers { buffers-per-numa 16384 }\n"
                       "plugins { plugin default { disable } "
                       "plugin vhost_plugin.so { enable } }\n")
        environment = dict(os.environ)
        environment["LD_LIBRARY_PATH"] = ":".join(
            os.path.join(self._prefix, "lib", part) for part in ("", "x86_64-linux-gnu"))
        self._environment = environment
        self.spawn([os.path.join(self._prefix, "bin", "vpp"), "-c", f"{directory}/startup.conf"],
                   environment)
        self.wait_for(lambda: listens(self._cli), "its command line does not answer")
        for path in self.sockets():
            interface = self._ctl(f"create vhost-user socket {path} server").strip()
            if not interface.startswith("VirtualEthernet"):
                raise SwitchError(f"vpp: create vhost-user: {interface}")
            self._ctl(f"set interface l2 bridge {interface} 1")
            self._ctl(f"set interface state {interface} up")
        self.wait_for_sockets()

    def _ctl(self, command):
        return run([os.path.join(self._prefix, "bin", "vppctl"), "-s", self._cli,
                    *command.split()], env=self._environment)

    def probe(self):
        return ["--probe", f"vpp:{self._cli}",
                "--vppctl", os.path.join(self._prefix, "bin", "vppctl")]
