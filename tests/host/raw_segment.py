"""Clients of a router VM that are nothing but frames: on a tap that stands for a segment.

What a guest's system would not send, they can. A thread answers ARP and neighbour solicitations for
the addresses that each client says are its own, as the router asks again every few seconds.
"""

import queue
import socket
import struct
import subprocess
import time
import zlib

from socket_reader import SocketReader

BROADCAST = "ff:ff:ff:ff:ff:ff"
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE = 1, 2, 3, 4, 5, 6, 7


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def v4(text):
    return socket.inet_aton(text)


def v6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def ethernet(to, sender, kind, payload):
    return mac_bytes(to) + mac_bytes(sender) + struct.pack(">H", kind) + payload


def ipv4(sender, to, protocol, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, v4(sender), v4(to))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(port, to_port, payload):
    return struct.pack(">HHHH", port, to_port, 8 + len(payload), 0) + payload


def echo(kind, identifier, sequence):
    data = struct.pack(">BBHHH", kind, 0, 0, identifier, sequence)
    return data[:2] + struct.pack(">H", checksum(data)) + data[4:]


def echo_of(frame):
    """Whether it is a request, identifier and sequence of an echo message of either family; else None."""
    kinds, at = {b"\x08\x00": ({8: True, 0: False}, 34), b"\x86\xdd": ({128: True, 129: False}, 54)}.get(
        frame[12:14], ({}, 0))
    if frame[at] not in kinds or frame[23 if at == 34 else 20] != (1 if at == 34 else 58):
        return None
    return kinds[frame[at]], *struct.unpack(">HH", frame[at + 4:at + 8])


def ipv6(sender, to, protocol, payload, hops=255):
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, hops) + v6(sender) + v6(to) + payload


def icmp6(sender, to, kind, payload):
    """The packet with its checksum (RFC 4443, 2.3)."""
    data = struct.pack(">BBH", kind, 0, 0) + payload
    pseudo = v6(sender) + v6(to) + struct.pack(">II", len(data), 58)
    return ipv6(sender, to, 58, data[:2] + struct.pack(">H", checksum(pseudo + data)) + data[4:])


def dhcp(kind, chaddr, address="0.0.0.0", **options):
    """A message of a DHCP client. `options` by name: requested, server, hostname."""
    head = struct.pack(">BBBBIHH4s4s4s4s", 1, 1, 6, 0, 0x5a5a5a5a, 0, 0, v4(address), v4("0.0.0.0"), v4("0.0.0.0"),
                       v4("0.0.0.0"))
    data = head + mac_bytes(chaddr) + b"\0" * 202 + b"\x63\x82\x53\x63" + bytes((53, 1, kind))
    for code, name in ((50, "requested"), (54, "server")):
        if name in options:
            data += bytes((code, 4)) + v4(options[name])
    if "hostname" in options:
        data += bytes((12, len(options["hostname"]))) + options["hostname"].encode()
    return data + b"\xff" + b"\0" * 16


class Segment:
    def __init__(self, name):
        """Makes the tap `name`, which a VMM can open."""
        self.name = name
        for words in (["tuntap", "add", name, "mode", "tap"], ["link", "set", name, "up"]):
            subprocess.run(["ip", *words], check=True)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.bind((name, 3))
        self._clients = {}
        self._reader = SocketReader(self._socket, self._serve)

    def client(self, mac):
        return self._clients.setdefault(mac, Client(self, mac))

    def send(self, frame):
        self._socket.send(frame)

    def close(self):
        self._reader.close()

    def _serve(self, frame, where):
        if where[2] != socket.PACKET_OUTGOING:
            self._deliver(frame)

    def _deliver(self, frame):
        for client in list(self._clients.values()):
            if frame[0] & 1 or frame[:6] == mac_bytes(client.mac):
                client.take(frame)


class Client:
    """`addresses`, of both families, are answered for."""

    def __init__(self, segment, mac):
        self.segment, self.mac = segment, mac
        self.addresses = set()
        self.router = None  # its MAC, once a frame of it has come
        self._inbox = queue.Queue()
        self._sequence = 0

    def take(self, frame):
        self.router = ":".join(f"{byte:02x}" for byte in frame[6:12])
        kind, = struct.unpack(">H", frame[12:14])
        if kind == 0x0806 and frame[21] == 1 and socket.inet_ntoa(frame[38:42]) in self.addresses:
            self.arp(2, socket.inet_ntoa(frame[38:42]), socket.inet_ntoa(frame[28:32]), self.router)
        elif kind == 0x86dd and frame[20] == 58 and frame[54] == 135:
            self._solicited(frame)
        else:
            self._inbox.put(frame)

    def _solicited(self, frame):
        target = socket.inet_ntop(socket.AF_INET6, frame[62:78])
        if target in self.addresses:
            self.advertise(target, socket.inet_ntop(socket.AF_INET6, frame[22:38]))

    def send(self, kind, payload, to=None):
        self.segment.send(ethernet(to or self.router or BROADCAST, self.mac, kind, payload))

    def arp(self, operation, sender, target, to=BROADCAST, mac=None):
        self.send(0x0806, struct.pack(">HHBBH6s4s6s4s", 1, 0x800, 6, 4, operation, mac_bytes(mac or self.mac),
                                      v4(sender), b"\0" * 6, v4(target)), to)

    def advertise(self, address, to="ff02::1"):
        """A neighbour advertisement: solicited when it has an asker, overriding what is known."""
        flags = 0x20000000 if to == "ff02::1" else 0x60000000
        option = b"\x02\x01" + mac_bytes(self.mac)
        payload = struct.pack(">I", flags) + v6(address) + option
        self.send(0x86dd, icmp6(address, to, 136, payload), "33:33:00:00:00:01" if to == "ff02::1" else None)

    def await_frame(self, match, timeout=10):
        """The first frame that `match` says yes to; None when there is none."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                frame = self._inbox.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if match(frame):
                return frame

    # DHCP

    def say(self, kind, chaddr=None, sender="0.0.0.0", **words):
        message = dhcp(kind, chaddr or self.mac, sender, **words)
        to = words.get("server") if sender != "0.0.0.0" else None
        self.send(0x800, ipv4(sender, to or "255.255.255.255", 17, udp(68, 67, message)),
                  self.router if to else BROADCAST)

    def hear(self, timeout=10):
        """Kind and address of the next DHCP answer to this client, or None."""
        frame = self.await_frame(
            lambda f: f[12:14] == b"\x08\x00" and f[23] == 17 and f[36:38] == b"\0\x44"
            and f[70:76] == mac_bytes(self.mac), timeout)
        return frame and (frame[42 + 242], socket.inet_ntoa(frame[58:62]))

    def offered(self, timeout=10, **words):
        """The address that a server offers; None without an offer. Asks more than once."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.say(DISCOVER, **words)
            answer = self.hear(2)
            if answer:
                return answer[1] if answer[0] == OFFER else None
        return None

    def lease(self, server, timeout=10, **words):
        """An address by DHCP, which it then answers for; None when there is none. Asks more than once."""
        deadline = time.monotonic() + timeout
        while address := self.offered(deadline - time.monotonic(), **words):
            self.say(REQUEST, requested=address, server=server, **words)
            answer = self.hear(2)
            if answer and answer[0] == ACK:
                self.addresses.add(address)
                return address
        return None

    # Pings

    @property
    def identifier(self):
        return zlib.crc32(self.mac.encode()) & 0xffff

    def ping(self, sender, to, identifier=None, answer=False):
        """Sends an echo request or answer, of either family, that says it is from `sender`."""
        six = ":" in to
        identifier = identifier or self.identifier
        self._sequence += 1
        if six:
            packet = icmp6(sender, to, 129 if answer else 128, struct.pack(">HH", identifier, self._sequence))
        else:
            packet = ipv4(sender, to, 1, echo(0 if answer else 8, identifier, self._sequence))
        self.send(0x86dd if six else 0x800, packet)

    def echo(self, timeout=10):
        """The next echo message of either family that comes here: whether it is a request, and its
        identifier. None when none comes."""
        frame = self.await_frame(echo_of, timeout)
        return frame and echo_of(frame)[:2]

    def pings(self, sender, to, timeout=3):
        """Whether an echo request from `sender` is answered. Older answers are forgotten."""
        self.ping(sender, to)
        wanted = False, self.identifier, self._sequence
        return self.await_frame(lambda f: echo_of(f) == wanted, timeout) is not None
