"""A receiver of webhooks as a process of its own, honest or not.

`python -m tests.integration.webhook_receiver PORT HOW FILE` appends each request to FILE, one JSON
a line, and then answers as HOW says: a status, such as 200 or 410, or `wait` (200, after half a
second), `slow`, `cut` (200, and closes), `short` (fewer bytes than announced), `endless`,
`garbage`, `redirect:URL`, or `file:PATH` for what stands in a file at that moment.
"""

import json
import os
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main(port: int, how: str, file: Path) -> None:
    """Serve until the process is killed."""

    class Receiver(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take what comes."""
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            line = json.dumps({"headers": headers, "body": body}) + "\n"
            handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(handle, line.encode())
            os.close(handle)
            with suppress(OSError):
                self.answer(Path(how[5:]).read_text().strip() if how.startswith("file:") else how)

        def answer(self, how: str) -> None:
            """As this receiver answers."""
            if how == "garbage":
                self.wfile.write(b"\x00\x01 what is that\r\n\r\n")
            elif how == "slow":
                time.sleep(60)
            elif how == "cut":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            elif how == "short":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nok")
            elif how == "endless":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    self.wfile.write(b"x" * 4096)
            else:
                if how == "wait":
                    time.sleep(0.5)
                status, _, location = how.replace("wait", "200").partition(":")
                self.send_response(307 if status == "redirect" else int(status))
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
