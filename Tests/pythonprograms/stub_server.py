"""Stands in the place of a server that a drill starts, and misbehaves in one way.

usage: stub_server.py KIND server -config FILE
"""
import http.server
import json
import os
import signal
import socketserver
import sys

kind = sys.argv[1]
folder = os.path.dirname(os.path.abspath(sys.argv[4]))
progress = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self):
        return "socket"

    def answer(self):
        global progress
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        path = self.path.removeprefix("/v1/")
        sealed = {"type": "awskms" if kind == "kms" else "shamir", "initialized": kind != "empty", "sealed": progress < 3,
                  "t": 3, "n": 5, "progress": progress, "version": "1.0\u0007stub"}
        if kind == "page":
            return self.send(200, b"<html>a proxy</html>")
        if path == "sys/seal-status":
            return self.send(200, sealed)
        if path == "sys/unseal":
            if kind == "refuses" and progress == 2:
                return self.send(400, {"errors": ["unable to retrieve stored keys:\n\t* \u001b[31mno"]})
            progress += 1
            return self.send(200, sealed | {"sealed": progress < 3, "progress": progress})
        if path == "sys/health":
            return self.send(429 if kind == "standby" else 200,
                             {"initialized": True, "sealed": False, "standby": kind == "standby"})
        self.send(405, {"errors": ["unsupported operation"]})

    do_GET = do_PUT = do_DELETE = do_POST = answer

    def send(self, status, body):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


if kind == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
Server(os.path.join(folder, "api.sock"), Handler).serve_forever()
