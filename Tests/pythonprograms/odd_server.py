"""An HTTP server that misbehaves on demand. Prints its port, ends with standard input.

/<behaviour>[,<behaviour>...][/anything]   the n-th request to one path gets the n-th behaviour, later ones the last
/log/<path>                                what was received under that path, a JSON array
A behaviour is a name of `BEHAVIOURS` with arguments behind dashes: status-503, bytes-1000.
The instance metadata, container and STS services of AWS have paths of their own, see the end.
"""
import json
import socket
import socketserver
import sys
import threading
import time
import urllib.parse
import zlib

lock = threading.Lock()
counts = {}
log = {}
JSON = "application/x-amz-json-1.0"


def body_of(count):
    return bytes(i * 31 % 251 for i in range(251)).ljust(1) * (count // 251 + 1)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.served = 0
        try:
            while self.one():
                pass
        except (OSError, ValueError, IndexError):
            pass

    def one(self):
        line = self.rfile.readline(65536).decode("latin-1").split()
        if len(line) != 3:
            return False
        self.method, self.path = line[0], line[1]
        self.headers = []
        while (header := self.rfile.readline(65536).decode("latin-1").rstrip("\r\n")):
            name, _, value = header.partition(":")
            self.headers.append([name, value.strip()])
        size = int(self.header("content-length") or 0)
        self.body = self.rfile.read(size)
        self.served += 1
        self.keep = True
        self.answer()
        return self.keep

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name), None)

    def answer(self):
        # As a proxy it answers in the place of servers whose name says so, and drops everything else.
        if self.path.startswith("http://dynamodb.invalid/"):
            self.path = self.path.removeprefix("http://dynamodb.invalid")
        if not self.path.startswith("/"):
            return self.drop()
        if self.path.startswith("/log/"):
            with lock:
                return self.send(200, json.dumps(log.get(self.path[4:], [])).encode())
        with lock:
            count = counts[self.path] = counts.get(self.path, 0) + 1
            log.setdefault(self.path, []).append({
                "method": self.method, "headers": self.headers, "body": self.body.decode("latin-1")})
        for prefix, service in SERVICES.items():
            if self.path.startswith(prefix):
                return service(self)
        script = urllib.parse.unquote(self.path.split("/")[1]).split(",")
        name, *arguments = script[min(count, len(script)) - 1].split("-")
        BEHAVIOURS[name](self, *arguments)

    def raw(self, data):
        self.wfile.write(data)

    def send(self, status, body, headers=(), length=None):
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.raw("\r\n".join(lines + ["", ""]).encode("latin-1") + body)

    def json(self, status, value, *headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send(status, body, [
            ("Content-Type", JSON), ("x-amzn-RequestId", "REQUEST"), ("x-amz-crc32", str(zlib.crc32(body))), *headers])

    def error(self, name, status=400, *headers):
        self.json(status, {"__type": "com.amazonaws.dynamodb.v20120810#" + name, "message": f"about {name}"}, *headers)

    def drop(self):
        self.keep = False


def echo(h):
    h.send(200, json.dumps({
        "method": h.method, "path": h.path, "headers": h.headers, "body": h.body.decode("latin-1"),
        "served": h.served}).encode(), [("X-Custom", "  some value  "), ("Empty", "")])


def truncated(h, announced="1000", sent="10"):
    h.send(200, b"x" * int(sent), length=int(announced))
    h.drop()


def chunked(h, count="1000", is_whole="1"):
    h.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    data = body_of(int(count))[:int(count)]
    for start in range(0, len(data), 77):
        part = data[start:start + 77]
        h.raw(b"%x\r\n%s\r\n" % (len(part), part))
    if is_whole == "1":
        return h.raw(b"0\r\n\r\n")
    h.drop()


def until_close(h):
    h.raw(b"HTTP/1.1 200 OK\r\n\r\nall there is")
    h.drop()


def slow(h, seconds="30"):
    time.sleep(float(seconds))
    h.send(200, b"late")


def trickle(h, count="1000", milliseconds="50"):
    """A byte now and then."""
    h.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n" % count.encode())
    for _ in range(int(count)):
        h.raw(b" ")
        time.sleep(int(milliseconds) / 1000)


def huge_headers(h, count="200"):
    h.send(200, b"", [(f"X-{n}", "v" * 1000) for n in range(int(count))])


def noise(h, seed="1"):
    value = int(seed)
    data = bytearray()
    for _ in range(500):
        value = (value * 6364136223846793005 + 1442695040888963407) % 2**64
        data.append(value >> 56)
    return bytes(data)


def dynamo(h):
    h.json(200, {"Ok": True, "Target": h.header("x-amz-target"), "Body": h.body.decode("latin-1")})


def skewed(h, seconds="3600", name="InvalidSignatureException"):
    """Refuses what is signed more than a minute from a clock that is ahead."""
    import datetime
    import email.utils
    now = time.time() + int(seconds)
    date = ("Date", email.utils.formatdate(now, usegmt=True))
    signed = datetime.datetime.strptime(h.header("x-amz-date"), "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs(signed.timestamp() - now) > 60:
        return h.error(name, 400, date)
    h.json(200, {"Ok": True}, date)


def key_only(h, key):
    """Takes one access key id, says of any other that its token has expired."""
    if f"Credential={key}/" in h.header("authorization"):
        return dynamo(h)
    h.error("ExpiredTokenException")


BEHAVIOURS = {
    "echo": echo, "truncated": truncated, "chunked": chunked, "untilclose": until_close, "slow": slow,
    "hugeheaders": huge_headers, "ok": dynamo, "skewed": skewed, "keyonly": key_only,
    "drop": lambda h: h.drop(),
    "closed": lambda h: (h.send(200, b"bye", [("Connection", "close")]), h.drop()),
    "quietlyclosed": lambda h: (dynamo(h), h.drop()),
    "bytes": lambda h, count="1000": h.send(200, body_of(int(count))[:int(count)]),
    "status": lambda h, status="500", body="": h.send(int(status), body.encode()),
    "redirect": lambda h: h.send(302, b"", [("Location", "/echo")]),
    "continue": lambda h: (h.raw(b"HTTP/1.1 100 Continue\r\nX-Custom: early\r\n\r\n"), echo(h)),
    "notlength": lambda h, text="-5": (
        h.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\nabc" % text.encode()), h.drop()),
    "announced": lambda h, count="99999999999": (h.send(200, b"abc", length=int(count)), h.drop()),
    "garbage": lambda h, seed="1": (h.raw(noise(h, seed)), h.drop()),
    "noise": lambda h, seed="1": h.json(200, noise(h, seed)),
    "unless": lambda h, name: dynamo(h) if h.header("x-amz-target").endswith(".GetItem") else h.error(name),
    "error": lambda h, name, status="400": h.error(name, int(status)),
    "wrongcrc": lambda h: h.send(200, b'{"Ok":true}', [("x-amz-crc32", "1")]),
    "badcrc": lambda h: h.send(200, b'{"Ok":true}', [("x-amz-crc32", "not a number")]),
    "notjson": lambda h: h.json(200, b'{"Ok":'),
    "page": lambda h, status="503": h.send(
        int(status), b"<html>a proxy's page</html>", [("Content-Type", "text/html")]),
    "trickle": trickle,
}


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + float(seconds)))


def keys(h, name, lifetime):
    with lock:
        number = counts["keys " + name] = counts.get("keys " + name, 0) + 1
    return {"AccessKeyId": f"AKID{name}{number}", "SecretAccessKey": f"secret/{name}{number}",
            "Token": f"token/{name}{number}==", "Expiration": stamp(lifetime), "Code": "Success", "Type": "AWS-HMAC"}


def metadata(h):
    """/imds/<name>/<lifetime>[/...]: instance metadata of version 2; it takes no request without a token."""
    _, _, name, lifetime, *rest = h.path.split("/")
    rest = "/".join(rest)
    if rest == "latest/api/token" and h.method == "PUT":
        return h.send(200, f"imds {name} token".encode())
    if h.header("x-aws-ec2-metadata-token") != f"imds {name} token":
        return h.send(401, b"")
    if rest == "latest/meta-data/iam/security-credentials/":
        return h.send(404, b"") if name == "norole" else h.send(200, f"role-of-{name}".encode())
    if rest == f"latest/meta-data/iam/security-credentials/role-of-{name}":
        return h.send(200, json.dumps(keys(h, name, lifetime)).encode())
    h.send(404, b"")


def container(h):
    """/container/<name>/<lifetime>/<token>: credentials of a container."""
    _, _, name, lifetime, token = h.path.split("/")
    if (h.header("authorization") or "") != token:
        return h.send(403, b'{"code":"denied","message":"secret/refused"}')
    h.send(200, json.dumps(keys(h, name, lifetime)).encode())


def sts(h):
    """/sts/<name>/<lifetime>/: the security token service's two calls, or with the name `denied` its refusal."""
    _, _, name, lifetime, *_ = h.path.split("/")
    fields = dict(urllib.parse.parse_qsl(h.body.decode()))
    if name == "denied":
        return h.send(403, b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not &amp; never</Message></Error>"
                           b"<RequestId>STSREQUEST</RequestId></ErrorResponse>")
    key = keys(h, name + fields["Action"].replace("AssumeRole", ""), lifetime)
    action = fields["Action"]
    h.send(200, f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
<AssumedRoleUser><Arn>{fields["RoleArn"]}</Arn></AssumedRoleUser><Credentials>
<AccessKeyId>{key["AccessKeyId"]}</AccessKeyId><SecretAccessKey>{key["SecretAccessKey"]}</SecretAccessKey>
<SessionToken>{key["Token"]}</SessionToken><Expiration>{key["Expiration"]}</Expiration></Credentials>
</{action}Result><ResponseMetadata><RequestId>R</RequestId></ResponseMetadata></{action}Response>""".encode())


SERVICES = {"/imds/": metadata, "/container/": container, "/sts/": sts}


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
