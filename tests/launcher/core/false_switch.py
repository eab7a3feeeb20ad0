"""A switch that was broken into: it answers as told, whatever is true."""

import json
import socketserver
import threading


class Answers(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            request = json.loads(line)
            result = self.server.results.get(request["method"], {})
            answer = {"jsonrpc": "2.0", "id": request["id"], "result": result}
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class FalseSwitch(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """On a control socket; `results` by method."""

    daemon_threads = True

    def __init__(self, path, results):
        super().__init__(str(path), Answers)
        self.results = {"port.list": {"ports": []}, **results}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()
