"""A relay before aimock: it passes requests on byte by byte and adds the chaos header that the
prompt asks for. `[chaos:drop]` in a prompt becomes `x-aimock-chaos-drop: 1`, `[chaos:latency=300]`
becomes `x-aimock-chaos-latency: 300`, and `[chaos:ratelimit once]` does so for the first request with
that prompt only, so that a polite client gets through.

Usage: relay.py UPSTREAM_PORT. Prints its own port in the first line.
"""

import re
import socket
import sys
import threading

WORD = re.compile(rb"\[chaos:([a-z]+)(?:=(\d+))?( once)?\] ([a-z0-9 ]+)")


class Relay:
    def __init__(self, upstream):
        self.upstream = upstream
        self.seen = set()
        self.lock = threading.Lock()

    def chaos(self, request):
        """The header that this request gets, if any."""
        found = WORD.search(request)
        if not found:
            return b""
        kind, value, once, prompt = found.groups()
        with self.lock:
            is_first = prompt not in self.seen
            self.seen.add(prompt)
        if once and not is_first:
            return b""
        return b"x-aimock-chaos-" + kind + b": " + (value or b"1") + b"\r\n"

    def serve(self, client):
        """One request, one answer, and the end of both connections."""
        with client:
            request = read_request(client)
            if request is None:
                return
            head, body = request
            first, rest = head.split(b"\r\n", 1)
            rest = re.sub(rb"(?i)connection:[^\r]*\r\n", b"", rest)
            added = self.chaos(body) + b"Connection: close\r\n"
            with socket.create_connection(("127.0.0.1", self.upstream)) as server:
                server.sendall(first + b"\r\n" + added + rest + body)
                while True:
                    try:
                        chunk = server.recv(65536)
                    except ConnectionResetError:
                        break
                    if not chunk:
                        break
                    client.sendall(chunk)


def read_request(client):
    """Head (with its empty line) and body of one request; nothing when the client sends none."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = client.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, body = data.split(b"\r\n\r\n", 1)
    head += b"\r\n\r\n"
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    if not length:
        raise SystemExit("a request without a length")
    while len(body) < int(length.group(1)):
        body += client.recv(65536)
    return head, body


def main():
    relay = Relay(int(sys.argv[1]))
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=relay.serve, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()
