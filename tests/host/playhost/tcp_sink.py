"""The far machine's TCP service: tells each peer the length and SHA-256 of what it sent."""

import hashlib
import socket
import socketserver
import sys


class Sink(socketserver.BaseRequestHandler):
    def handle(self):
        digest, length = hashlib.sha256(), 0
        while chunk := self.request.recv(65536):
            digest.update(chunk)
            length += len(chunk)
        self.request.sendall(f"{length} {digest.hexdigest()}\n".encode())


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6  # takes IPv4 too: IPV6_V6ONLY is off by default
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server(("::", int(sys.argv[1])), Sink) as server:
        print("listening", flush=True)
        server.serve_forever()
