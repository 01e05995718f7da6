"""content.py - what a registry does when nothing is wrong: blobs, manifests, tags, uploads.

Contents come from an OCI layout (its blobs are in every repository, its names are tags in every
repository) and from uploads, which are kept below a directory of their own and belong to the
repository they were sent or mounted to. Nothing that was sent is believed: digests are computed.

A handler takes a wire.Request and gives a Response. A body is bytes, or a Part of a file, or
anything with `size` and pieces(): so a GB needs no memory.
"""

import hashlib
import itertools
import json
import os
import re
import threading
import urllib.parse

import wire

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MANIFEST_LIMIT = 4 << 20


class Response:
    def __init__(self, status, body=b"", headers=(), kind=None):
        self.status, self.body, self.headers = status, body, list(headers)
        if kind:
            self.headers.append(("Content-Type", kind))

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def set(self, name, value):
        """One header of this name, or with None or [] none, or with a list several."""
        self.headers = [(k, v) for k, v in self.headers if k.lower() != name.lower()]
        values = value if isinstance(value, list) else [] if value is None else [value]
        self.headers += [(name, str(each)) for each in values]


class Part:
    """Bytes start..start+size of a file."""

    def __init__(self, path, start=0, size=None):
        self.path, self.start = path, start
        self.size = os.path.getsize(path) - start if size is None else size

    def pieces(self):
        with open(self.path, "rb") as file:
            file.seek(self.start)
            left = self.size
            while left > 0:
                data = file.read(min(left, wire.BLOCK))
                if not data:
                    return
                left -= len(data)
                yield data


def error(status, code, message):
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Response(status, body, kind="application/json")


def one_range(text, size):
    """(first, last) of "bytes=a-b"; None if it cannot be satisfied."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", text)
    if not found or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        return (max(size - int(last), 0), size - 1) if int(last) else None
    end = min(int(last), size - 1) if last else size - 1
    return (int(first), end) if int(first) <= end else None


class Registry:
    """The contents. `state` is put into each upload location, and must come back to the byte."""

    def __init__(self, layout, directory, state=None):
        self.layout, self.directory, self.state = layout, directory, state
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.sessions = {}  # id -> path of what was sent
        self.members = set()  # (repository, digest) of uploads
        self.manifests = {}  # digest -> (media type, bytes) of uploads
        self.tags = {}  # (repository, tag) -> digest
        self.common = {}  # tag -> descriptor, from the layout
        os.makedirs(directory, exist_ok=True)
        if layout:
            with open(os.path.join(layout, "index.json"), encoding="utf-8") as file:
                for entry in json.load(file)["manifests"]:
                    name = entry.get("annotations", {}).get("org.opencontainers.image.ref.name")
                    if name:
                        self.common[name.rpartition(":")[2]] = entry

    # ---- finding ----

    def blob(self, repository, digest):
        """The path of a blob that this repository has, or None."""
        if not re.fullmatch(r"[a-z0-9]+:[0-9a-f]{32,128}", digest):
            return None
        algorithm, _, value = digest.partition(":")
        if self.layout:
            path = os.path.join(self.layout, "blobs", algorithm, value)
            if os.path.isfile(path):
                return path
        path = os.path.join(self.directory, value)
        return path if (repository, digest) in self.members and os.path.isfile(path) else None

    def manifest(self, repository, name):
        """(digest, media type, bytes) by tag or digest, or None."""
        kind = None
        digest = name if ":" in name else self.tags.get((repository, name))
        if not digest and name in self.common:
            digest, kind = self.common[name]["digest"], self.common[name]["mediaType"]
        if digest in self.manifests and (repository, digest) in self.members:
            return (digest, *self.manifests[digest])
        path = digest and self.blob(repository, digest)
        if not path or os.path.getsize(path) > 64 << 20:
            return None
        with open(path, "rb") as file:
            data = file.read()
        for entry in self.common.values():
            kind = entry["mediaType"] if entry["digest"] == digest else kind
        return digest, kind or self.media_type(data), data

    @staticmethod
    def media_type(data):
        try:
            document = json.loads(data)
            return document.get("mediaType") or (INDEX if "manifests" in document else MANIFEST)
        except (ValueError, AttributeError, RecursionError):
            return MANIFEST

    # ---- what clients ask ----

    def handle(self, request):
        path = urllib.parse.unquote(request.path)
        if path in ("/v2/", "/v2"):
            return Response(200, b"{}", kind="application/json")
        for pattern, handler in (
                (r"/v2/(.+)/manifests/([^/]+)", self.handle_manifest),
                (r"/v2/(.+)/blobs/uploads/?()", self.handle_start),
                (r"/v2/(.+)/blobs/uploads/([0-9]+)", self.handle_upload),
                (r"/v2/(.+)/blobs/([^/]+)", self.handle_blob),
                (r"/v2/(.+)/tags/list()", self.handle_tags),
                (r"/v2/(.+)/referrers/([^/]+)", self.handle_referrers)):
            found = re.fullmatch(pattern, path)
            if found:
                return handler(request, *found.groups())
        return error(404, "NOT_FOUND", "no such place")

    def handle_manifest(self, request, repository, name):
        if request.method == "PUT":
            return self.put_manifest(request, repository, name)
        found = self.manifest(repository, name)
        if not found:
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        digest, kind, data = found
        if request.method == "DELETE":
            with self.lock:
                self.members.discard((repository, digest))
                self.tags = {key: value for key, value in self.tags.items()
                             if key[0] != repository or value != digest and key[1] != name}
            return Response(202)
        return Response(200, data, [("Docker-Content-Digest", digest)], kind)

    def put_manifest(self, request, repository, name):
        data = request.text()
        if len(data) > MANIFEST_LIMIT:
            return error(413, "MANIFEST_INVALID", "the manifest is too large")
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if ":" in name and name != digest:
            return error(400, "DIGEST_INVALID", "the manifest has another digest")
        try:
            document = json.loads(data)
        except ValueError:
            return error(400, "MANIFEST_INVALID", "the manifest is not JSON")
        for part in [document.get("config"), *document.get("layers", [])]:
            if part and not self.blob(repository, part["digest"]):
                return error(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
        with self.lock:
            self.manifests[digest] = (request.headers.get("content-type", MANIFEST), data)
            self.members.add((repository, digest))
            if ":" not in name:
                self.tags[repository, name] = digest
        headers = [("Docker-Content-Digest", digest), ("Location", f"/v2/{repository}/manifests/{digest}")]
        if "subject" in document:
            headers.append(("OCI-Subject", document["subject"]["digest"]))
        return Response(201, b"", headers)

    def handle_blob(self, request, repository, digest):
        path = self.blob(repository, digest)
        if not path:
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        headers = [("Docker-Content-Digest", digest), ("Accept-Ranges", "bytes")]
        kind = "application/octet-stream"
        asked = request.headers.get("range")
        if not asked or request.method == "HEAD":
            return Response(200, Part(path), headers, kind)
        size = os.path.getsize(path)
        bounds = one_range(asked, size)
        if not bounds:
            return Response(416, b"", [("Content-Range", f"bytes */{size}")])
        first, last = bounds
        headers.append(("Content-Range", f"bytes {first}-{last}/{size}"))
        return Response(206, Part(path, first, last - first + 1), headers, kind)

    def handle_tags(self, request, repository, _):
        tags = sorted({tag for name, tag in self.tags if name == repository} | set(self.common))
        query = dict(urllib.parse.parse_qsl(request.query))
        tags = [tag for tag in tags if tag > query.get("last", "")]
        limit = int(query.get("n", "1000"))
        body = json.dumps({"name": repository, "tags": tags[:limit]}).encode()
        response = Response(200, body, kind="application/json")
        if len(tags) > limit > 0:
            response.set("Link", f"</v2/{repository}/tags/list?n={limit}&last={tags[limit - 1]}>; "
                         'rel="next"')
        return response

    def handle_referrers(self, _, repository, digest):
        found = []
        for name, (kind, data) in self.manifests.items():
            document = json.loads(data)
            if (document.get("subject", {}).get("digest") == digest
                    and (repository, name) in self.members):
                config = document.get("config", {}).get("mediaType")
                found.append({"mediaType": kind, "digest": name, "size": len(data),
                              "artifactType": document.get("artifactType") or config,
                              "annotations": document.get("annotations", {})})
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": found}).encode()
        return Response(200, body, kind=INDEX)

    # ---- uploads ----

    def location(self, repository, session):
        text = f"/v2/{repository}/blobs/uploads/{session}"
        return text + (f"?_state={self.state}" if self.state else "")

    def progress(self, status, repository, session):
        size = os.path.getsize(self.sessions[session])
        return Response(status, b"", [("Location", self.location(repository, session)),
                                      ("Range", f"0-{max(size - 1, 0)}"),
                                      ("Docker-Upload-UUID", session)])

    def handle_start(self, request, repository, _):
        if request.method != "POST":
            return error(405, "UNSUPPORTED", "POST only")
        query = dict(urllib.parse.parse_qsl(request.query))
        source, digest = query.get("from"), query.get("mount", "")
        if source and self.blob(source, digest):
            self.members.add((repository, digest))
            return Response(201, b"", [("Location", f"/v2/{repository}/blobs/{digest}"),
                                       ("Docker-Content-Digest", digest)])
        session = str(next(self.numbers))
        path = os.path.join(self.directory, f"upload-{session}")
        with open(path, "wb"):
            self.sessions[session] = path
        if "digest" in query:
            self.receive(request, path)
            return self.close_upload(repository, session, query["digest"])
        return self.progress(202, repository, session)

    def handle_upload(self, request, repository, session):
        if session not in self.sessions:
            return error(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown")
        if self.state and f"_state={self.state}" not in request.query.split("&"):
            return error(400, "BLOB_UPLOAD_INVALID", "the state came back changed")
        path = self.sessions[session]
        if request.method == "GET":
            return self.progress(204, repository, session)
        if request.method == "DELETE":
            os.remove(self.sessions.pop(session))
            return Response(204)
        place = re.fullmatch(r"(\d+)-(\d+)", request.headers.get("content-range", "0-0"))
        if "content-range" in request.headers and (
                not place or int(place[1]) != os.path.getsize(path)):
            return Response(416, b"", self.progress(416, repository, session).headers)
        self.receive(request, path)
        if request.method == "PATCH":
            return self.progress(202, repository, session)
        query = dict(urllib.parse.parse_qsl(request.query))
        return self.close_upload(repository, session, query.get("digest", ""))

    @staticmethod
    def receive(request, path):
        """What arrives is kept also when the sender breaks off."""
        with open(path, "ab") as file:
            for data in request.body():
                file.write(data)
                file.flush()

    def close_upload(self, repository, session, digest):
        path = self.sessions.pop(session)
        digests = {"sha256": hashlib.sha256(), "sha512": hashlib.sha512()}
        wanted = digests.get(digest.partition(":")[0])
        if not wanted:
            return error(400, "DIGEST_INVALID", "no digest was named")
        for data in Part(path).pieces():
            wanted.update(data)
        if wanted.hexdigest() != digest.partition(":")[2]:
            os.remove(path)
            return error(400, "DIGEST_INVALID", "the blob has another digest")
        with self.lock:
            os.rename(path, os.path.join(self.directory, wanted.hexdigest()))
            self.members.add((repository, digest))
        return Response(201, b"", [("Location", f"/v2/{repository}/blobs/{digest}"),
                                   ("Docker-Content-Digest", digest)])
