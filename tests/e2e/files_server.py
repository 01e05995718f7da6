"""tests/e2e/files_server.py DIRECTORY [TOKEN] - its files by http on this machine, at a port that it prints.

With a TOKEN only to those who bring it.
"""

import http.server
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files, for those who may have them."""

    def __init__(self, *args):
        super().__init__(*args, directory=sys.argv[1])

    def do_GET(self):
        if len(sys.argv) > 2 and self.headers["Authorization"] != "Bearer " + sys.argv[2]:
            self.send_error(401)
        else:
            super().do_GET()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
