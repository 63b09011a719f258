"""A receiver of chat messages as a process of its own: POSTs of JSON.

`python -m tests.integration.chat_receiver PORT STATUS FILE` appends each body to FILE, one a line,
and answers with STATUS.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main(port: int, status: int, file: Path) -> None:
    """Serve until the process is killed."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Take what comes."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with file.open("ab") as out:
                out.write(body.replace(b"\n", b"") + b"\n")
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
