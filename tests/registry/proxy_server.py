#!/usr/bin/env python3
"""proxy_server.py - an HTTP proxy that remembers: CONNECT, and requests for whole URLs.

    proxy_server.py --port-file FILE --log FILE [--user NAME:PASSWORD] [--status N] [--life SECONDS]
        [--map HOST[:PORT]=127.0.0.1:PORT]...

With --user, who does not say so in Proxy-Authorization is answered 407. With --status, everything
is answered by it. The log is that of wire.py: `target` is the place (HOST:PORT of a CONNECT, or an
URL), `headers` has Authorization if a client let the proxy see it. `sent` counts bytes of the
tunnel. Only loopback is reached: another host is answered 502, unless a --map says where it is, so
that the servers of a test can have any name in the world.
"""

import argparse
import base64
import http.client
import select
import socket
import urllib.parse

import wire
from upstream import PER_HOP


def tunnel(stream, other):
    """Both ways until one ends; how much came back."""
    came = 0
    other.sendall(stream.buffer)
    while True:
        for ready in select.select([stream.sock, other], [], [])[0]:
            data = ready.recv(wire.BLOCK)
            if not data:
                return came
            came += len(data) if ready is other else 0
            (stream.sock if ready is other else other).sendall(data)


class Proxy:
    def __init__(self, opts):
        self.status = opts.status
        self.wanted = opts.user and "Basic " + base64.b64encode(opts.user.encode()).decode()
        self.places = dict(pair.split("=", 1) for pair in opts.map)
        self.server = None

    def refuse(self, stream, request, status):
        extra = [("Proxy-Authenticate", 'Basic realm="tests"')] if status == 407 else []
        stream.send(wire.head(status, [("Content-Length", 0), ("Connection", "close")] + extra))
        self.server.answered(request, status, 0)
        return False

    def talk(self, stream, request):
        if self.status:
            return self.refuse(stream, request, self.status)
        if self.wanted and request.headers.get("proxy-authorization") != self.wanted:
            return self.refuse(stream, request, 407)
        place = request.target if request.method == "CONNECT" else \
            urllib.parse.urlsplit(request.target).netloc
        place = self.places.get(place) or self.places.get(place.rpartition(":")[0]) or place
        host = place.rpartition(":")[0] or place
        if host not in ("127.0.0.1", "localhost", "[::1]"):
            return self.refuse(stream, request, 502)
        return (self.connect if request.method == "CONNECT" else self.forward)(stream, request,
                                                                               place)

    def connect(self, stream, request, place):
        host, _, port = place.rpartition(":")
        try:
            other = socket.create_connection((host.strip("[]"), int(port)), 10)
        except OSError:
            return self.refuse(stream, request, 502)
        with other:
            stream.send(wire.head(200, []))
            try:
                came = tunnel(stream, other)
            except OSError:
                came = 0
            self.server.answered(request, 200, came)
        return False

    def forward(self, stream, request, place):
        parts = urllib.parse.urlsplit(request.target)
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        headers = {key: value for key, value in request.headers.items()
                   if key not in PER_HOP and not key.startswith("proxy-")}
        connection = http.client.HTTPConnection(place, timeout=30)
        try:
            connection.request(request.method, path, request.text() or None, headers)
            got = connection.getresponse()
            body = got.read()
        except (OSError, http.client.HTTPException):
            return self.refuse(stream, request, 502)
        kept = [(key, value) for key, value in got.getheaders() if key.lower() not in PER_HOP]
        size = got.headers.get("Content-Length", "0") if request.method == "HEAD" else len(body)
        stream.send(wire.head(got.status, kept + [("Content-Length", size)]) + body)
        self.server.answered(request, got.status, len(body))
        return request.keep_alive


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--user")
    parser.add_argument("--status", type=int)
    parser.add_argument("--map", action="append", default=[])
    parser.add_argument("--life", type=float, default=600)
    opts = parser.parse_args()
    proxy = Proxy(opts)
    proxy.server = wire.Server([wire.Listener("proxy")], wire.Log(opts.log), proxy.talk)
    proxy.server.run(opts.port_file, opts.life)


main()
