"""dns_server.py ADDRESS DELAY PORT-FILE: answers every question for an A record with 127.0.0.1, DELAY seconds late,
and every other with nothing. A DELAY below 0 is silence."""

import os
import socket
import struct
import sys
import threading


def answer(question):
    """RFC 1035, 4.1: the question again, and a record that points at its name."""
    ident = question[:2]
    end = 12
    while question[end]:
        end += question[end] + 1
    kind = struct.unpack(">H", question[end + 1:end + 3])[0]
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton("127.0.0.1")
    is_address = kind == 1
    head = ident + struct.pack(">HHHHH", 0x8180, 1, is_address, 0, 0)
    return head + question[12:end + 5] + (record if is_address else b"")


def main():
    address, delay, ready = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    with open(ready + ".new", "w", encoding="ascii") as file:
        file.write(address + "\n")
    os.rename(ready + ".new", ready)
    while True:
        question, client = server.recvfrom(4096)
        if delay >= 0:
            threading.Timer(delay, server.sendto, (answer(question), client)).start()


main()
