#!/usr/bin/env python3
"""fault_server.py - a registry that goes wrong as a script says, alone or in front of another one.

    fault_server.py --port-file FILE --log FILE [--script FILE] [--layout DIR | --upstream HOST:PORT]
        [--uploads DIR] [--listen NAME[,KEY=VALUE...]]... [--life SECONDS]

Contents: an OCI layout and what is uploaded (content.py), or another registry (upstream.py). A
listener is a port, and so an origin: keys are address, cert and key (TLS), client-ca (a client
certificate is demanded), h2 (HTTP/2 is offered to the first h2-count=1 connections and ends as
goaway.py says). The first, `main` unless named, is the registry; the others play content servers
and strangers. All answer alike unless the script says otherwise. The log is that of wire.py.

/token on any listener gives a token: "token-LISTENER-NUMBER" (GET or POST, everybody).

The script is JSON:
    {"auth": {"challenge": TEXT, "accept": [PATTERN...]},   on `main`; */? patterns of Authorization
     "state": TEXT,         put into upload locations; must come back byte for byte
     "token": {...},        keys laid over the answer of /token; null takes a key away
     "rules": [{"method", "target", "listener", "header", "over", "skip", "count", ...ACTION}]}
A rule matches by regular expressions for the whole method and anywhere in the target, by listener
(`main` unless named, "*" for all), by headers {name: regex or null for absent}, and by a body of
more than `over` bytes announced. A request that "auth" refuses is only matched with `anybody`. Its first `skip` matches pass by, the next `count` (without it:
all) act; the first rule that acts decides. Requests for /token are matched, too.

Actions, in the order of what they do:
    delay S         wait first
    early           answer before the body is read: "linger" as a good server does (it stops
                    talking and drains), "close" as a bad one
    take N          read so many bytes of the body, then go on as if that were all
    hold FILE       go no further until there is this file, which the log says with an event "held":
                    before the answer or, with `after` N, behind N bytes of its body
    drop            no answer: "close" or "reset"
    raw TEXT        these bytes in place of an answer, then close
    status N        an answer of our own, with body, body_size N (bytes of 'x'), body_file, type
    redirect URL    the same with status 307 and this Location
    challenge       an answer of 401 with the challenge of "auth", or with this TEXT
    whole           forget that a Range was asked for
    as N            the true answer, but with this status
    lose            the true answer is made, and nothing of it sent: what it did has happened
    headers         {name: value, null for none, or a list}
    encode          "gzip": the body gets a Content-Encoding
    flip N          one bit of byte N of the body is another
    pad N           the body is longer by N bytes, and says so
    length N        Content-Length says N; null: there is none, the end of the connection is the end
    chunked         the body comes in chunks
    cut N           the connection ends after N bytes of the body; reset: with RST;
    stall S         after S seconds in which nothing came
    drip N          N bytes a second
    revoke          tokens given so far are no longer accepted on `main`
    close           the connection ends after the answer
Texts may say {main}, {other}… (origins), {host:main} (their authorities), {target}, {path},
{location} (that of the true answer), {digest} (the last part of the path), {date:+N} (N seconds
from now as HTTP writes it).

Rules whose action needs nothing true (status, redirect, raw, drop, challenge) do not reach the
contents, so an upload that they answer has not happened.
"""

import argparse
import fnmatch
import gzip
import itertools
import json
import os
import re
import threading
import time

import goaway
import wire
from content import Registry, Response
from upstream import Upstream

OWN_ANSWER = ("status", "redirect", "challenge")


class Script:
    """The rules and how often each has matched."""

    def __init__(self, document):
        self.auth = document.get("auth")
        self.state = document.get("state")
        self.token = document.get("token", {})
        self.rules = document.get("rules", [])
        self.seen = [0] * len(self.rules)
        self.lock = threading.Lock()

    @staticmethod
    def matches(rule, request):
        wanted = rule.get("listener", "main")
        if wanted not in ("*", request.stream.listener.name):
            return False
        if not re.fullmatch(rule.get("method", ".*"), request.method):
            return False
        if not re.search(rule.get("target", ""), request.target):
            return False
        if "over" in rule and not request.chunked and request.length <= rule["over"]:
            return False
        for name, pattern in rule.get("header", {}).items():
            value = request.headers.get(name.lower())
            if pattern is None and value is not None:
                return False
            if pattern is not None and (value is None or not re.search(pattern, value)):
                return False
        return True

    def pick(self, request, known):
        """(number, rule) of the one that acts, or (None, {}); whether the credentials were good."""
        with self.lock:
            for number, rule in enumerate(self.rules):
                if not (known or rule.get("anybody")) or not self.matches(rule, request):
                    continue
                self.seen[number] += 1
                turn = self.seen[number] - rule.get("skip", 0)
                if 0 < turn <= rule.get("count", turn):
                    return number, rule
        return None, {}


class Faults:
    """How a request is answered: the true response, bent by a rule, sent as the rule says."""

    def __init__(self, script, contents, listeners):
        self.script, self.contents = script, contents
        self.listeners = {listener.name: listener for listener in listeners}
        self.server = None
        self.tokens = itertools.count(1)
        self.last_token, self.revoked = 0, 0

    # ---- texts ----

    def fill(self, text, request, response=None):
        def value(found):
            word, _, rest = found[1].partition(":")
            if not rest and word in self.listeners:
                return self.listeners[word].origin
            if word == "host" and rest in self.listeners:
                return self.listeners[rest].authority
            if word == "date":
                at = time.gmtime(time.time() + float(rest))
                return time.strftime("%a, %d %b %Y %H:%M:%S GMT", at)
            words = {"target": request.target, "path": request.path,
                     "digest": request.path.rpartition("/")[2],
                     "location": response.header("Location") if response else None}
            return words.get(word) or found[0]

        return re.sub(r"\{([a-z0-9-]+(?::[+a-z0-9.-]+)?)\}", value, text)

    # ---- credentials ----

    def token(self, request):
        """The answer of /token."""
        request.text()
        self.last_token = next(self.tokens)
        text = f"token-{request.stream.listener.name}-{self.last_token}"
        document = {"token": text, "access_token": text, "expires_in": 300, **self.script.token}
        document = {key: value for key, value in document.items() if value is not None}
        return Response(200, json.dumps(document).encode(), kind="application/json")

    def challenge(self, request, text=None):
        request.text()
        response = Response(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}',
                            kind="application/json")
        text = text or self.script.auth["challenge"]
        texts = text if isinstance(text, list) else [text]
        response.set("WWW-Authenticate", [self.fill(each, request) for each in texts])
        return response

    def may_pass(self, request):
        if (not self.script.auth or request.stream.listener.name != "main"
                or request.path == "/token"):
            return True
        given = request.headers.get("authorization", "")
        found = re.fullmatch(r"Bearer token-.*-(\d+)", given)
        if found and int(found[1]) <= self.revoked:
            return False
        return any(fnmatch.fnmatchcase(given, each) for each in self.script.auth["accept"])

    # ---- the response ----

    def own_answer(self, request, rule):
        """A response that the rule makes alone."""
        if "challenge" in rule:
            text = rule["challenge"]
            return self.challenge(request, None if text is True else text)
        if not rule.get("early"):
            if "take" in rule:
                self.take(request, rule["take"])
            else:
                for _ in request.body():
                    pass
        body = self.fill(rule.get("body", ""), request).encode()
        if "body_size" in rule:
            body = b"x" * rule["body_size"]
        if "body_file" in rule:
            with open(rule["body_file"], "rb") as file:
                body = file.read()
        response = Response(rule.get("status", 307), body, kind=rule.get("type", "application/json"))
        if "redirect" in rule:
            response.set("Location", self.fill(rule["redirect"], request))
        return response

    @staticmethod
    def take(request, size):
        for _ in request.body():
            if request.received >= size:
                break

    def true_answer(self, request, rule):
        if rule.get("whole"):
            request.headers.pop("range", None)
        if request.path == "/token":
            return self.token(request)
        if not self.may_pass(request):
            return self.challenge(request)
        return self.contents.handle(request)

    def answer(self, request, rule):
        own = any(key in rule for key in OWN_ANSWER)
        response = self.own_answer(request, rule) if own else self.true_answer(request, rule)
        response.status = rule.get("as", response.status)
        for name, value in rule.get("headers", {}).items():
            values = value if isinstance(value, list) else [value]
            filled = [self.fill(each, request, response) for each in values if each is not None]
            response.set(name, filled)
        if rule.get("encode") == "gzip":
            response.body = gzip.compress(b"".join(pieces(response.body)))
            response.set("Content-Encoding", "gzip")
        return response

    # ---- sending ----

    def talk(self, stream, request):
        number, rule = self.script.pick(request, self.may_pass(request))
        time.sleep(rule.get("delay", 0))
        hold = Hold(self.server.log, request, rule)
        if "drop" in rule or "raw" in rule:
            return self.give_up(stream, request, rule, number, hold)
        response = self.answer(request, rule)
        if "revoke" in rule:
            self.revoked = self.last_token
        if not rule.get("early") and "take" not in rule:
            for _ in request.body():
                pass
        hold.at(0)
        if rule.get("lose"):
            self.server.answered(request, 0, 0, "lost", number)
            return False
        sender = Sender(stream, request, response, rule, hold)
        end = "gone"
        try:
            end = sender.run()
        finally:
            self.server.answered(request, response.status, sender.sent, end, number)
        if rule.get("early") == "linger":
            stream.finish()
        return end == "done" and sender.stays and request.keep_alive and not request.left

    def give_up(self, stream, request, rule, number, hold):
        if "take" in rule:
            self.take(request, rule["take"])
        hold.at(0)
        text = self.fill(rule.get("raw", ""), request).encode("latin-1")
        if text:
            stream.send(text)
        self.server.answered(request, 0, len(text), rule.get("drop", "raw"), number)
        if rule.get("drop") == "reset":
            stream.reset()
        return False


class Hold:
    """The place where an exchange waits for a file, once."""

    def __init__(self, log, request, rule):
        self.log, self.request, self.file = log, request, rule.get("hold")
        self.after = rule.get("after", 0)

    def split(self, at, data):
        """The part of the data that goes before the wait, and the rest."""
        size = max(0, min(self.after - at, len(data))) if self.file else len(data)
        return data[:size], data[size:]

    def at(self, sent):
        if self.file and sent >= self.after:
            self.log.write(event="held", id=self.request.number, sent=sent)
            while not os.path.exists(self.file):
                time.sleep(0.01)
            self.file = None


def pieces(body):
    return [body] if isinstance(body, bytes) else body.pieces()


class Sender:
    """One response on its way. run() says how it ended: done, cut, reset, or raises Gone."""

    def __init__(self, stream, request, response, rule, hold):
        self.stream, self.response, self.rule, self.hold = stream, response, rule, hold
        self.with_body = request.method != "HEAD" and response.status not in (204, 304)
        body = response.body
        self.size = len(body) if isinstance(body, bytes) else body.size
        if not self.with_body:
            self.size = getattr(response, "head_size", self.size)
        self.sent = 0
        self.length = rule.get("length", self.size + rule.get("pad", 0))
        self.stays = not (rule.get("close") or "length" in rule or rule.get("early"))

    def head(self):
        if self.rule.get("chunked"):
            self.response.set("Transfer-Encoding", "chunked")
        elif self.length is not None and self.response.header("Content-Length") is None:
            self.response.set("Content-Length", self.length)
        if not self.stays:
            self.response.set("Connection", "close")
        self.stream.send(wire.head(self.response.status, self.response.headers))

    def bent(self):
        """The pieces of the body as the rule wants them."""
        at, flip = 0, self.rule.get("flip", -1)
        for data in pieces(self.response.body):
            if at <= flip < at + len(data):
                changed = bytearray(data)
                changed[flip - at] ^= 1
                data = bytes(changed)
            at += len(data)
            yield data
        if self.rule.get("pad"):
            yield b"x" * self.rule["pad"]

    def send(self, data):
        before, data = self.hold.split(self.sent, data)
        if before:
            self.send_now(before)
        if data:
            self.hold.at(self.sent)
            self.send_now(data)

    def send_now(self, data):
        step = self.rule.get("drip")
        for start in range(0, len(data), step or len(data) or 1):
            part = data[start:start + step] if step else data
            framed = b"%x\r\n%b\r\n" % (len(part), part) if self.rule.get("chunked") else part
            self.stream.send(framed)
            self.sent += len(part)
            if step:
                time.sleep(1)

    def run(self):
        self.head()
        if not self.with_body:
            return "done"
        cut = self.rule.get("cut")
        for data in self.bent():
            if cut is not None and self.sent + len(data) >= cut:
                self.send(data[:cut - self.sent])
                return self.end()
            if data:
                self.send(data)
        if self.rule.get("chunked"):
            self.stream.send(b"0\r\n\r\n")
        return self.end() if "stall" in self.rule or self.rule.get("reset") else "done"

    def end(self):
        time.sleep(self.rule.get("stall", 0))
        if self.rule.get("reset"):
            time.sleep(0.05)  # what was sent should arrive before the reset overtakes it
            self.stream.reset()
            return "reset"
        return "cut"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--script")
    parser.add_argument("--layout")
    parser.add_argument("--upstream")
    parser.add_argument("--uploads", default="uploads")
    parser.add_argument("--listen", action="append")
    parser.add_argument("--life", type=float, default=600)
    opts = parser.parse_args()

    document = {}
    if opts.script:
        with open(opts.script, encoding="utf-8") as file:
            document = json.load(file)
    script = Script(document)
    listeners = [wire.Listener.parse(text) for text in opts.listen or ["main"]]
    contents = (Upstream(opts.upstream) if opts.upstream
                else Registry(opts.layout, opts.uploads, script.state))
    faults = Faults(script, contents, listeners)

    def talk_h2(stream):
        stream.listener.h2_left -= 1
        number = next(faults.server.log.numbers)
        how = goaway.talk(stream, stream.listener.h2)
        faults.server.log.write(event="h2", id=number, listener=stream.listener.name, end=how)

    faults.server = wire.Server(listeners, wire.Log(opts.log), faults.talk, talk_h2)
    faults.server.run(opts.port_file, opts.life)


main()
