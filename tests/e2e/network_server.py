"""tests/e2e/network_server.py ADDRESS - what a step may reach of this machine, and what not.

On a port of 127.0.0.1 nobody should arrive; whoever comes to one of ADDRESS is told how many have, and what
was asked of the resolvers at port 53 of both, which know every name. Prints both ports.
"""

import select
import socket
import struct
import sys


def listen(address):
    server = socket.create_server((address, 0), backlog=16)
    server.setblocking(False)
    return server


def answer(question):
    rest = question[12:]
    end = rest.index(b"\0") + 1
    kind = struct.unpack("!H", rest[end : end + 2])[0]
    known = kind == 1
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + bytes([203, 0, 113, 7]) if known else b""
    head = question[:2] + struct.pack("!HHHHH", 0x8180, 1, int(known), 0, 0)
    return head + rest[: end + 4] + record


inside, outside = listen("127.0.0.1"), listen(sys.argv[1])
resolvers = []
for address in ("127.0.0.1", sys.argv[1]):
    resolvers.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    resolvers[-1].bind((address, 53))
print(inside.getsockname()[1], outside.getsockname()[1], flush=True)
arrived = asked = 0
while True:
    ready = select.select([inside, outside, *resolvers], [], [])[0]
    for names in [resolver for resolver in resolvers if resolver in ready]:
        question, who = names.recvfrom(4096)
        asked += 1
        names.sendto(answer(question), who)
    if outside not in ready and inside not in ready:
        continue
    # Whoever came to the loopback before somebody came to ADDRESS is there by now.
    try:
        while True:
            inside.accept()[0].close()
            arrived += 1
    except BlockingIOError:
        pass
    if outside in ready:
        connection = outside.accept()[0]
        connection.sendall(b"the host, %d on its loopback\n" % arrived)
        connection.close()
