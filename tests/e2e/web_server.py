"""tests/e2e/web_server.py DIRECTORY LOG [ADDRESS] - files and repositories by http on this machine, at a port that it prints.

    /NAME               a file, with Last-Modified
    /tagged/NAME        the same with an ETag and without a time
    /private/NAME       only for who shows "Bearer hidden-token"
    /away/PORT/NAME     a redirect to the server at another port
    /git/REPO.git       a repository, by git http-backend
    /private-git/REPO.git   only for the password "hidden-token"

Each request is a line of LOG: method, path, what authorises it, the status.
"""

import base64
import functools
import hashlib
import http.server
import os
import subprocess
import sys

ROOT, LOG = sys.argv[1:3]
BASIC = "basic " + base64.b64encode(b"x-access-token:hidden-token").decode()


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def log_request(self, code="-", size="-"):
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.requestline.split()[1]} [{self.headers.get('Authorization', '')}] {int(code)}\n")

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def tagged(self):
        with open(os.path.join(ROOT, self.path.split("/")[-1]), "rb") as file:
            body = file.read()
        tag = '"' + hashlib.md5(body).hexdigest() + '"'
        if self.headers.get("If-None-Match") == tag:
            return self.answer(304, ETag=tag)
        return self.answer(200, body, ETag=tag)

    def repository(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": ROOT,
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": "/" + path.split("/", 2)[2],
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        out = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False).stdout
        head, _, body = out.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        code = int(fields.pop("Status", "200").split()[0])
        self.answer(code, body, **fields)

    def do_GET(self):
        auth = self.headers.get("Authorization")
        kind = self.path.split("/")[1]
        if kind == "private" and auth != "Bearer hidden-token" or kind == "private-git" and auth != BASIC:
            return self.answer(401, WWW_Authenticate='Basic realm="private"')
        if kind in ("git", "private-git"):
            return self.repository()
        if kind == "tagged":
            return self.tagged()
        if kind == "away":
            _, _, port, name = self.path.split("/", 3)
            return self.answer(302, Location=f"http://127.0.0.1:{port}/{name}")
        if kind == "private":
            self.path = "/" + self.path.split("/")[-1]
        return super().do_GET()

    do_POST = do_GET


handler = functools.partial(Handler, directory=ROOT)
server = http.server.ThreadingHTTPServer((sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1", 0), handler)
print(server.server_port, flush=True)
server.serve_forever()
