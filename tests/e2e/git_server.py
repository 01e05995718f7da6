"""tests/e2e/git_server.py DIRECTORY - its repositories by git:// on this machine, at a port that it prints."""

import socket
import subprocess
import sys

COMMAND = ["git", "daemon", "--inetd", "--export-all", "--log-destination=none",
           "--base-path=" + sys.argv[1], sys.argv[1]]

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    with connection:
        subprocess.run(COMMAND, stdin=connection, stdout=connection, check=False)
