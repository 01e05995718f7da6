"""goaway.py - HTTP/2 as far as it takes to refuse: frames by hand, no header is ever decoded.

talk(stream, how) plays one connection: the client's preface is read, our settings are sent, theirs
acknowledged, and the first request is answered
    goaway      by GOAWAY with last-stream-id 0: nothing was processed, it may be asked elsewhere
    late        by GOAWAY with that stream as the last, and then nothing: it may have been processed
    refuse      by RST_STREAM REFUSED_STREAM
    reset       by RST_STREAM INTERNAL_ERROR
    begin       by the head of a response of 1 MiB, 1000 bytes of it, and RST_STREAM CANCEL
after which the connection is closed. It returns what the log should call it.
"""

import struct

from wire import Gone

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
ACK, END_HEADERS = 1, 4
CANCEL, REFUSED_STREAM, INTERNAL_ERROR = 8, 7, 2


def frame(kind, flags, stream_id, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream_id) + payload


def exactly(stream, size):
    data = b""
    while len(data) < size:
        data += stream.read(size - len(data))
    return data


def first_request(stream):
    """The id of the stream that asks first."""
    if exactly(stream, len(PREFACE)) != PREFACE:
        raise Gone("no preface")
    stream.send(frame(SETTINGS, 0, 0, b""))
    while True:
        top = exactly(stream, 9)
        size = int.from_bytes(top[:3], "big")
        kind, flags, stream_id = struct.unpack(">BBI", top[3:])
        exactly(stream, size)
        if kind == SETTINGS and not flags & ACK:
            stream.send(frame(SETTINGS, ACK, 0, b""))
        if kind == HEADERS:
            return stream_id


def talk(stream, how):
    stream_id = first_request(stream)
    rst = {"refuse": REFUSED_STREAM, "reset": INTERNAL_ERROR, "begin": CANCEL}
    if how == "begin":
        # :status 200 from the static table, content-length: 1048576 as a literal.
        fields = b"\x88" + b"\x0f\x0d" + bytes([7]) + b"1048576"
        stream.send(frame(HEADERS, END_HEADERS, stream_id, fields))
        stream.send(frame(DATA, 0, stream_id, b"x" * 1000))
    if how in rst:
        stream.send(frame(RST_STREAM, 0, stream_id, struct.pack(">I", rst[how])))
    else:
        last = stream_id if how == "late" else 0
        stream.send(frame(GOAWAY, 0, 0, struct.pack(">II", last, 0)))
    stream.finish()
    return how
