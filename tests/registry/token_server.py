#!/usr/bin/env python3
"""token_server.py - a token server for docker-registry: RS256 with x5c, as it wants it.

    token_server.py --key KEY --cert CERT --port-file FILE [--log FILE] [OPTION...]

GET /token?service=S&scope=T[&scope=T...]: with Basic the user's token, without it an anonymous one.
POST /token with grant_type=refresh_token or password in a form: the same, by identity token.
Whoever names a user must name the right password, else 401. Scopes are repository:NAME:ACTIONS.

The log is that of wire.py (id, method, target, headers with Authorization whole), and a line
{"event": "token", "path", "scope": [...], "authorized": bool, "user", "granted": [...]} for each
token.

    --user NAME:PASSWORD    who may have a token (repeated)
    --identity TEXT         the identity token that POST accepts (of the first user)
    --service, --issuer     what goes into the claims (default "tests")
    --anonymous ACTIONS     what everybody may do (default "pull"; "" for nothing)
    --actions ACTIONS       what users may do at most (default "pull,push,delete")
    --reduce NAME           of this repository nothing is granted, and that is not said
    --refuse NAME           a request that names this repository is answered 403
    --seconds N             how long a token is good (default 300); 0: expired when it is given
    --claim N               how long the answer says that it is good, whatever is true
    --no-expires-in         the answer does not say it
    --keys WORD,WORD        under which names the token stands (default "token,access_token")
    --no-post               404 for POST
    --delay SECONDS         before each answer
    --html, --huge          a page, 64 MiB of JSON in place of the answer
    --down-after N          after N tokens, 503
    --refresh               offer a refresh_token with offline_token=true
    --life SECONDS          of the server (default 600)

The signature is made by a child process `openssl dgst`.
"""

import argparse
import base64
import json
import subprocess
import time
import urllib.parse
import uuid

import wire


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--log")
    parser.add_argument("--listen", default="token")
    parser.add_argument("--user", action="append", default=[])
    parser.add_argument("--identity")
    parser.add_argument("--service", default="tests")
    parser.add_argument("--issuer", default="tests")
    parser.add_argument("--anonymous", default="pull")
    parser.add_argument("--actions", default="pull,push,delete")
    parser.add_argument("--reduce", action="append", default=[])
    parser.add_argument("--refuse", action="append", default=[])
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--claim", type=int)
    parser.add_argument("--no-expires-in", action="store_true")
    parser.add_argument("--keys", default="token,access_token")
    parser.add_argument("--no-post", action="store_true")
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--html", action="store_true")
    parser.add_argument("--huge", action="store_true")
    parser.add_argument("--down-after", type=int, default=1 << 30)
    parser.add_argument("--refresh", action="store_true")
    parser.add_argument("--life", type=float, default=600)
    return parser.parse_args()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Refused(Exception):
    """The answer is this status."""


class Tokens:
    def __init__(self, opts):
        self.opts, self.given = opts, 0
        self.users = dict(user.split(":", 1) for user in opts.user)
        with open(opts.cert, encoding="ascii") as file:
            lines = file.read().split("-----")[2].split()
        self.x5c = "".join(lines)

    def sign(self, claims):
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self.x5c]}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.opts.key],
                              input=text.encode(), stdout=subprocess.PIPE, check=True)
        return text + "." + base64url(done.stdout)

    def basic(self, request):
        """The user whom Basic names, None for nobody."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        name, _, password = base64.b64decode(value).decode().partition(":")
        return self.known(name, password)

    def known(self, name, password):
        if self.users.get(name) != password:
            raise Refused(401)
        return name

    def form(self, request):
        """(user, fields) of a POST."""
        if self.opts.no_post:
            raise Refused(404)
        fields = urllib.parse.parse_qs(request.text().decode(), keep_blank_values=True)
        kind = fields.get("grant_type", [""])[0]
        if kind == "refresh_token" and fields.get("refresh_token") == [self.opts.identity]:
            return next(iter(self.users)), fields
        if kind == "password":
            return self.known(fields["username"][0], fields["password"][0]), fields
        raise Refused(401)

    def grant(self, user, scopes):
        """What of the scopes the user gets, in the words of the claim."""
        allowed = self.opts.actions if user else self.opts.anonymous
        granted = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            if name in self.opts.refuse:
                raise Refused(403)
            given = [] if name in self.opts.reduce else [
                action for action in actions.split(",") if action in allowed.split(",")]
            if given:
                granted.append({"type": kind, "name": name, "actions": given})
        return granted

    def answer(self, request):
        """The document of a token, and its log entry."""
        if request.method == "POST":
            user, fields = self.form(request)
        else:
            user, fields = self.basic(request), urllib.parse.parse_qs(request.query)
        scopes = [word for text in fields.get("scope", []) for word in text.split()]
        granted = self.grant(user, scopes)
        now = int(time.time())
        claims = {"iss": self.opts.issuer, "sub": user or "", "aud": self.opts.service,
                  "exp": now + self.opts.seconds - (100 if self.opts.seconds == 0 else 0),
                  "nbf": now - 200, "iat": now, "jti": str(uuid.uuid4()), "access": granted}
        document = {key: self.sign(claims) for key in self.opts.keys.split(",")}
        if not self.opts.no_expires_in:
            document["expires_in"] = (self.opts.seconds if self.opts.claim is None
                                      else self.opts.claim)
        if self.opts.refresh and self.opts.identity and "offline_token" in fields:
            document["refresh_token"] = self.opts.identity
        entry = {"path": request.path, "scope": scopes, "user": user, "granted": granted,
                 "authorized": "authorization" in request.headers}
        return document, entry


def main():
    opts = options()
    tokens = Tokens(opts)

    def reply(stream, request, status, kind, body):
        if status != 401 or request.method == "POST":
            extra = []
        else:
            extra = [("WWW-Authenticate", 'Basic realm="tests"')]
        stream.send(wire.head(status, [("Content-Type", kind), ("Content-Length", len(body))]
                              + extra) + body)
        server.answered(request, status, len(body))
        return request.keep_alive

    def talk(stream, request):
        time.sleep(opts.delay)
        try:
            if request.path != "/token" or request.method not in ("GET", "POST"):
                raise Refused(404)
            if tokens.given >= opts.down_after:
                raise Refused(503)
            tokens.given += 1
            document, entry = tokens.answer(request)
            server.log.write(event="token", **entry)
        except Refused as refused:
            body = json.dumps({"errors": [{"code": "DENIED", "message": "no token"}]}).encode()
            request.text()
            return reply(stream, request, refused.args[0], "application/json", body)
        if opts.html:
            page = b"<!doctype html><title>Sign in</title>\n"
            return reply(stream, request, 200, "text/html", page)
        if opts.huge:
            document = {"pad": "x" * (64 << 20), **document}
        return reply(stream, request, 200, "application/json", json.dumps(document).encode())

    server = wire.Server([wire.Listener.parse(opts.listen)], wire.Log(opts.log), talk)
    server.run(opts.port_file, opts.life)


main()
