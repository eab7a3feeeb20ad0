"""The test's end of the channel into the play host: commands with status, output and deadline."""

import dataclasses
import itertools
import json
import queue
import socket
import threading

PATIENCE = 120  # seconds that an emulated machine may stand still on a busy one


@dataclasses.dataclass
class Result:
    argv: list[str]
    status: int
    out: str
    err: str
    timed_out: bool = False

    def __str__(self) -> str:
        ending = "ran out of time" if self.timed_out else f"status {self.status}"
        return f"`{' '.join(self.argv)}`: {ending}\n{self.out}{self.err}"


class CommandFailed(AssertionError):
    def __init__(self, result: Result):
        super().__init__(str(result))
        self.result = result


class Channel:
    """One connection for the play host's whole life; the agent says hello after each boot."""

    def __init__(self, path: str):
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._ids = itertools.count(1)
        self._waiting: dict[int, queue.Queue] = {}
        self._lock = threading.Lock()
        self._hellos: queue.Queue = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for_hello(self, timeout: float) -> str:
        """Boot id of the play host that came up. Raises queue.Empty at the deadline."""
        hello = self._hellos.get(timeout=timeout)
        if hello is None:
            raise RuntimeError("the play host ended")
        return hello

    def run(self, argv, timeout: float, check: bool = True, stdin: str = "",
            env: dict | None = None) -> Result:
        argv = [str(word) for word in argv]
        answer = self._ask(timeout + PATIENCE, op="run", argv=argv, timeout=timeout, stdin=stdin,
                           env=env or {})
        result = Result(argv, **answer)
        if check and (result.status != 0 or result.timed_out):
            raise CommandFailed(result)
        return result

    def spawn(self, argv, log: str = "", env: dict | None = None) -> int:
        """Starts a program that goes on; returns its process id in the play host."""
        argv = [str(word) for word in argv]
        return self._ask(PATIENCE, op="spawn", argv=argv, log=log, env=env or {})["pid"]

    def wait(self, pid: int, timeout: float) -> int | None:
        """Exit status of a spawned program, None when it still runs at the deadline."""
        return self._ask(timeout + PATIENCE, op="wait", pid=pid, timeout=timeout)["status"]

    def close(self) -> None:
        """Ends the reader too; what still waits for an answer gets an error."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # QEMU was faster
        self._socket.close()

    def _ask(self, patience: float, **request) -> dict:
        number = next(self._ids)
        answers: queue.Queue = queue.Queue()
        with self._lock:
            self._waiting[number] = answers
            self._socket.sendall((json.dumps({"id": number, **request}) + "\n").encode())
        try:
            answer = answers.get(timeout=patience)
        except queue.Empty:
            raise TimeoutError(f"the play host did not answer: {request}") from None
        finally:
            del self._waiting[number]
        if "error" in answer:
            raise RuntimeError(f"{answer['error']} in {request}")
        return answer

    def _read(self) -> None:
        try:
            with self._socket.makefile("rb") as stream:
                for line in stream:
                    self._take(line)
        except OSError:
            pass
        self._hellos.put(None)
        for waiting in list(self._waiting.values()):
            waiting.put({"error": "the play host ended"})

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:  # the rest of a line that a reboot tore
            return
        if "hello" in message:
            self._hellos.put(message["hello"])
            return
        waiting = self._waiting.get(message.pop("id"))
        if waiting:
            waiting.put(message)
