"""A thread that reads a socket until it is closed: the peers that tests make of frames and datagrams."""

import select
import threading


class SocketReader:
    """`take` gets what recvfrom() does: bytes and whence."""

    def __init__(self, connection, take):
        self._socket, self._take = connection, take
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self):
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _read(self):
        while not self._ended.is_set():
            if select.select([self._socket], [], [], 0.1)[0]:
                self._take(*self._socket.recvfrom(65536))
