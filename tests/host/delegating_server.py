"""A DHCPv6 server that delegates a prefix (RFC 8415, 6.3), which dnsmasq does not, and gives an address.

A thread answers on one interface. `prefix` may be changed; who renews gets the new one, and the old one
with no time left.
"""

import ipaddress
import socket
import struct

from socket_reader import SocketReader

SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE = range(1, 9)
CLIENT, SERVER, IA_NA, IA_ADDRESS, IA_PD, IA_PREFIX = 1, 2, 3, 5, 25, 26
RENEWED_AFTER = 5  # seconds


def option(code, data):
    return struct.pack(">HH", code, len(data)) + data


def options(data):
    while len(data) >= 4:
        code, length = struct.unpack(">HH", data[:4])
        yield code, data[4:4 + length]
        data = data[4 + length:]


def prefix_option(prefix, seconds):
    return option(IA_PREFIX, struct.pack(">IIB", seconds, seconds, prefix.prefixlen) + prefix.network_address.packed)


class DelegatingServer:
    def __init__(self, interface, prefix, address):
        self._address = ipaddress.IPv6Address(address)
        self.interface, self.prefix = interface, ipaddress.IPv6Network(prefix)
        self.identities = set()  # DUID and IAID of each association that asked for a prefix
        self._given = None
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        self._socket.bind(("::", 547))
        group = socket.inet_pton(socket.AF_INET6, "ff02::1:2") + struct.pack("@I", socket.if_nametoindex(interface))
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        self._reader = SocketReader(self._socket, self._serve)

    def close(self):
        self._reader.close()

    def _serve(self, message, sender):
        answer = self._answer(message[0], list(options(message[4:])))
        if answer:
            kind = ADVERTISE if message[0] == SOLICIT else REPLY
            self._socket.sendto(bytes((kind,)) + message[1:4] + answer, sender)

    def _answer(self, kind, asked):
        if kind not in (SOLICIT, REQUEST, RENEW, REBIND, RELEASE):
            return None
        client = dict(asked)[CLIENT]
        answer = option(CLIENT, client) + option(SERVER, b"\0\3\0\1" + b"\x02\0\0\0\xd0\x01")
        for code, data in asked:
            if code == IA_NA:
                answer += option(IA_NA, data[:4] + struct.pack(">II", RENEWED_AFTER, 2 * RENEWED_AFTER) + option(
                    IA_ADDRESS, self._address.packed + struct.pack(">II", 600, 600)))
            elif code == IA_PD:
                self.identities.add((client, data[:4]))
                answer += option(IA_PD, data[:4] + struct.pack(">II", RENEWED_AFTER, 2 * RENEWED_AFTER)
                                 + self._prefixes(kind))
        return answer

    def _prefixes(self, kind):
        if kind == RELEASE:
            return b""
        old, now = self._given, self.prefix
        if kind != SOLICIT:
            self._given = now
        ended = prefix_option(old, 0) if old not in (None, now) else b""
        return prefix_option(now, 600) + ended
