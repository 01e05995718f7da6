"""wire.py - what the servers of the tests share: sockets, HTTP/1.1 by hand, a log, a limited life.

HTTP is spoken by hand because these servers must be able to speak it wrongly: to say one length
and send another, to stop in the middle, to answer before they were asked everything. A thread for
each connection; nothing listens anywhere but on loopback, on a port that the system chooses.

The log has JSON lines. {"event": "request", "id", "listener", "connection", "method", "target",
"headers", "authorization"} is written before a request is answered, {"event": "response", "id",
"status", "rule", "received", "sent", "end"} when that is over; `received` and `sent` count bytes of
bodies. `headers` has lower-case names, repeated ones joined by ", ". Whoever counts bytes must wait
until there are as many responses as requests. A handshake that fails is {"event": "refused"}.

A server ends with the process that started it, after SECONDS of life, and on SIGTERM.
"""

import ctypes
import itertools
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time

BLOCK = 256 << 10
REASONS = {100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
           206: "Partial Content", 301: "Moved Permanently", 302: "Found", 303: "See Other",
           307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
           401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           407: "Proxy Authentication Required", 413: "Content Too Large",
           416: "Range Not Satisfiable", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
           504: "Gateway Timeout"}


class Gone(Exception):
    """The other side is no longer there, or says what is not HTTP."""


def live_for(seconds):
    """End with the parent, and never later than this."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        sys.exit(0)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    timer = threading.Timer(seconds, lambda: os._exit(0))
    timer.daemon = True
    timer.start()


class Log:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8") if path else None
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.start = time.monotonic()

    def write(self, **entry):
        if self.file:
            entry["at"] = round(time.monotonic() - self.start, 3)
            with self.lock:
                self.file.write(json.dumps(entry) + "\n")
                self.file.flush()


class Stream:
    """A connected socket with a read buffer. Raises Gone when nothing more can come or go."""

    def __init__(self, sock, listener, number):
        self.sock, self.listener, self.number = sock, listener, number
        self.buffer = b""

    def fill(self):
        try:
            data = self.sock.recv(BLOCK)
        except OSError as problem:
            raise Gone(str(problem)) from problem
        if not data:
            raise Gone("closed")
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            if len(self.buffer) > 1 << 20:
                raise Gone("a line of more than 1 MiB")
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def read(self, limit):
        """Between 1 and limit bytes."""
        if not self.buffer:
            self.fill()
        data, self.buffer = self.buffer[:limit], self.buffer[limit:]
        return data

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as problem:
            raise Gone(str(problem)) from problem

    def finish(self):
        """Say that nothing more comes, and listen on for a moment, so that the last words arrive."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self.sock.settimeout(2)
            while self.sock.recv(BLOCK):
                pass
        except OSError:
            pass
        self.close()

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def reset(self):
        """Close with RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class Request:
    """The head of a request, and its body for whoever wants it.

    body() yields what is left of it; `received` counts. Expect: 100-continue is answered when the
    body is first asked for."""

    def __init__(self, stream, number):
        self.stream, self.number, self.received = stream, number, 0
        self.answered = False
        if not stream.buffer:
            stream.fill()
        if stream.buffer.startswith(b"\x16\x03"):  # as other servers say it
            stream.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nTLS to a plain port\n")
            raise Gone("speaks TLS to a port that does not")
        line = stream.line()
        while not line:
            line = stream.line()
        words = line.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise Gone(f"not a request: {line!r}")
        self.method, self.target, self.version = words
        self.path, _, self.query = self.target.partition("?")
        self.headers = {}
        while line := stream.line():
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        self.chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        self.length = int(self.headers.get("content-length", "0"))
        self.expects = self.headers.get("expect", "").lower() == "100-continue"
        self.left = None if self.chunked else self.length

    @property
    def keep_alive(self):
        word = self.headers.get("connection", "").lower()
        return "close" not in word and (self.version == "HTTP/1.1" or "keep-alive" in word)

    def body(self):
        if self.expects and self.left != 0:
            self.expects = False
            self.stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        while self.left:
            data = self.stream.read(min(self.left, BLOCK))
            self.left -= len(data)
            self.received += len(data)
            yield data
        if self.left is None:
            yield from self.chunks()

    def chunks(self):
        while size := int(self.stream.line().split(";")[0], 16):
            while size:
                data = self.stream.read(min(size, BLOCK))
                size -= len(data)
                self.received += len(data)
                yield data
            self.stream.line()
        while self.stream.line():
            pass
        self.left = 0

    def text(self, limit=1 << 26):
        """The whole body, if it is not too long to be held."""
        data = b"".join(self.body())
        if len(data) > limit:
            raise Gone("a document of more than 64 MiB")
        return data

    def entry(self):
        return {"event": "request", "id": self.number, "listener": self.stream.listener.name,
                "connection": self.stream.number, "method": self.method, "target": self.target,
                "headers": self.headers, "authorization": self.headers.get("authorization")}


def head(status, headers):
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


class Listener:
    """A port of a server. With a certificate it speaks TLS, with client_ca it wants to see one."""

    def __init__(self, name, address="127.0.0.1", port="0", cert=None, key=None, client_ca=None,
                 h2=None, h2_count="1"):
        self.name, self.host = name, address
        self.h2, self.h2_left = h2, int(h2_count)
        self.sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((address, int(port)))
        self.sock.listen(64)
        self.port = self.sock.getsockname()[1]
        self.cert, self.key, self.client_ca = cert, key, client_ca
        shown = f"[{address}]" if ":" in address else address
        self.authority = f"{shown}:{self.port}"
        self.origin = f"{'https' if cert else 'http'}://{self.authority}"

    @classmethod
    def parse(cls, text):
        """NAME[,key=value...]"""
        name, *pairs = text.split(",")
        return cls(name, **{k.replace("-", "_"): v for k, v in (p.split("=", 1) for p in pairs)})

    def secure(self, sock):
        """The socket as the one who connected will use it."""
        if not self.cert:
            return sock
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        offers_h2 = self.h2 and self.h2_left > 0
        context.set_alpn_protocols(["h2", "http/1.1"] if offers_h2 else ["http/1.1"])
        sock.settimeout(20)
        secure = context.wrap_socket(sock, server_side=True)
        secure.settimeout(None)
        return secure


class Server:
    """Listeners, a log, and talk(stream, request) -> whether the connection goes on.

    talk writes the response's entry itself, by answered()."""

    def __init__(self, listeners, log, talk, talk_h2=None):
        self.listeners = {listener.name: listener for listener in listeners}
        self.log, self.talk, self.talk_h2 = log, talk, talk_h2
        self.connections = itertools.count(1)

    def answered(self, request, status, sent, end="done", rule=None):
        request.answered = True
        self.log.write(event="response", id=request.number, status=status, rule=rule,
                       received=request.received, sent=sent, end=end)

    def connection(self, listener, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = listener.secure(sock)
        except (OSError, ssl.SSLError) as problem:
            self.log.write(event="refused", listener=listener.name, problem=str(problem))
            sock.close()
            return
        stream = Stream(sock, listener, next(self.connections))
        try:
            if isinstance(sock, ssl.SSLSocket) and sock.selected_alpn_protocol() == "h2":
                self.talk_h2(stream)
                return
            while True:
                request = Request(stream, next(self.log.numbers))
                self.log.write(**request.entry())
                try:
                    stays = self.talk(stream, request)
                finally:
                    if not request.answered:
                        self.answered(request, 0, 0, "gone")
                if not stays:
                    return
        except Gone:
            pass
        finally:
            stream.close()

    def accept(self, listener):
        while True:
            sock, _ = listener.sock.accept()
            threading.Thread(target=self.connection, args=[listener, sock], daemon=True).start()

    def run(self, port_file, seconds):
        """Serve until the end of life. The file has a line "NAME PORT" for each listener."""
        live_for(seconds)
        for listener in self.listeners.values():
            threading.Thread(target=self.accept, args=[listener], daemon=True).start()
        with open(port_file + ".new", "w", encoding="ascii") as file:
            for listener in self.listeners.values():
                file.write(f"{listener.name} {listener.port}\n")
        os.rename(port_file + ".new", port_file)
        while True:
            time.sleep(3600)
