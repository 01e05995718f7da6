"""upstream.py - stand in front of another registry and pass on what it is asked and answers.

A request goes upstream with its headers as they are, Host included, so that the locations that
come back lead to us. Nothing is kept but the body of one request in a nameless file: what was
refused halfway is not sent on.
"""

import http.client
import tempfile

import wire
from content import Response, error

PER_HOP = ("connection", "keep-alive", "transfer-encoding", "expect", "content-length")


class Answer:
    """The body of a response that is still arriving."""

    def __init__(self, response):
        self.response = response
        self.size = response.length

    def pieces(self):
        while data := self.response.read(wire.BLOCK):
            yield data


class Upstream:
    def __init__(self, authority):
        self.authority = authority

    def handle(self, request):
        headers = {key: value for key, value in request.headers.items() if key not in PER_HOP}
        with tempfile.TemporaryFile() as body:
            for data in request.body():
                body.write(data)
            size = body.tell()
            body.seek(0)
            if size or request.method in ("POST", "PUT", "PATCH"):
                headers["content-length"] = str(size)
            connection = http.client.HTTPConnection(self.authority, timeout=60)
            try:
                connection.request(request.method, request.target, body, headers)
                got = connection.getresponse()
            except (OSError, http.client.HTTPException) as problem:
                return error(502, "UNAVAILABLE", f"upstream: {problem}")
        kept = [(key, value) for key, value in got.getheaders()
                if key.lower() not in PER_HOP and key.lower() != "date"]
        body = got.read() if got.length is None else Answer(got)
        response = Response(got.status, body, kept)
        if request.method == "HEAD":
            response.head_size = int(got.headers.get("Content-Length", "0"))
        return response
