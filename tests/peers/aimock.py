"""imagemill against aimock, a mock server by others, with the faults of its chaos headers.

Usage: aimock.py MILL CLI FOLDER, where CLI is aimock's own program. Starts aimock and the relay,
stops both by their process ids, and looks that their ports are closed.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

from support import Run, base64_png, check, get, png

KEY = "sk-peer-4f0e9b"

ROWS = """scene_id,prompt
plain,a plain fox
slow,[chaos:latency=300] a slow fox
throttled,[chaos:ratelimit once] a patient fox
dropped,[chaos:drop] a dropped fox
malformed,[chaos:malformed] a malformed fox
disconnected,[chaos:disconnect] a disconnected fox
policy,a forbidden fox
unknown,a fox that no fixture has
"""


def image(words, shade):
    match = {"userMessage": words, "endpoint": "image"}
    return {"match": match, "response": {"image": {"b64Json": base64_png(shade)}}}


def failure(words, status, code, kind):
    error = {"message": "not this one", "type": kind, "code": code}
    match = {"userMessage": words, "endpoint": "image"}
    return {"match": match, "response": {"error": error, "status": status}}


FIXTURES = {
    "fixtures": [
        image("a plain fox", 1),
        image("a slow fox", 2),
        image("a patient fox", 3),
        image("a dropped fox", 4),
        image("a malformed fox", 5),
        image("a disconnected fox", 6),
        image("an edited fox", 7),
        failure("a forbidden fox", 400, "moderation_blocked", "image_generation_user_error"),
        failure("an empty purse", 429, "insufficient_quota", "insufficient_quota"),
    ]
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Servers:
    """aimock, and the relay before it."""

    def __init__(self, cli, folder):
        fixtures = folder / "fixtures.json"
        fixtures.write_text(json.dumps(FIXTURES))
        self.port = free_port()
        self.log = open(folder / "aimock.log", "w")
        self.mock = subprocess.Popen(
            ["node", cli, "-p", str(self.port), "-f", str(fixtures), "--strict"],
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, "AIMOCK_API_KEYS": KEY},
        )
        relay = pathlib.Path(__file__).with_name("relay.py")
        self.relay = subprocess.Popen(
            [sys.executable, str(relay), str(self.port)], stdout=subprocess.PIPE, text=True
        )
        self.relay_port = int(self.relay.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"
        for _ in range(100):
            if is_open(self.port):
                return
            time.sleep(0.1)
        raise SystemExit("aimock does not start: " + (folder / "aimock.log").read_text())

    def requests(self):
        """What aimock has received for images, by the attempt's id."""
        by_id = {}
        for entry in get(f"{self.url}/__aimock/journal", KEY):
            if entry["path"].startswith("/v1/images/"):
                rid = entry["headers"]["x-client-request-id"]
                by_id.setdefault(rid, []).append(entry)
        return by_id

    def stop(self):
        for process in (self.relay, self.mock):
            process.terminate()
            process.wait(timeout=20)
        self.log.close()
        for port in (self.port, self.relay_port):
            check(not is_open(port), f"port {port} is closed")


def one_request_each(servers, run):
    received = servers.requests()
    for rid in run.rids():
        check(len(received.get(rid, [])) == 1, f"attempt {rid}", received.get(rid), run)


def faults(mill, servers, folder, options):
    run = Run(mill, ROWS, str(folder / "faults"), *options, env={"PEER_KEY": KEY})
    outcomes = run.outcomes()
    wanted = {
        "plain": "ok",
        "slow": "ok",
        "throttled": "ok",
        "dropped": "unknown",
        "malformed": "unknown",
        "disconnected": "unknown",
        "policy": "refused",
        "unknown": "unknown",
    }
    check(outcomes == wanted, outcomes, run)
    check(run.exit == 0, run)
    states = {row: [ending["state"] for ending in run.attempts(row)] for row in wanted}
    check(states["throttled"] == ["released", "settled"], states)
    check(states["plain"] == ["settled"] == states["slow"], states)
    for row in ("dropped", "malformed", "disconnected"):
        check(states[row] == ["unknown"], row, states)
    # The images are those of the server, byte by byte.
    images = run.images()
    found = {name: images[name] for name in sorted(images)}
    wanted = {"plain-v1.png": png(1), "slow-v1.png": png(2), "throttled-v1.png": png(3)}
    check(found == wanted, sorted(found))
    ledger = run.ledger
    check(ledger["settles"] == 3 and ledger["reserved"] == "0.00", ledger)
    one_request_each(servers, run)
    check(KEY.encode() not in run.everything(), "the key is nowhere")


def edit(mill, servers, folder, options):
    (folder / "reference.png").write_bytes(png(200))
    rows = "scene_id,prompt,references\nedited,an edited fox,reference.png\n"
    run = Run(mill, rows, str(folder / "edit"), *options, env={"PEER_KEY": KEY})
    check(run.exit == 0 and run.images() == {"edited-v1.png": png(7)}, run)
    one_request_each(servers, run)
    (entry,) = servers.requests()[run.rids()[0]]
    check(entry["path"] == "/v1/images/edits", entry)


def purse(mill, servers, folder, options):
    rows = "scene_id,prompt\n" + "".join(f"p{n},an empty purse {n}\n" for n in range(6))
    run = Run(
        mill, rows, str(folder / "purse"), *options, "--concurrency", "1", env={"PEER_KEY": KEY}
    )
    check(run.exit == 75, run)
    check(len(run.rids()) == 1, "it stops at once", run)
    check(run.ledger["settled"] == "0.00", run.ledger)


def wrong_key(mill, servers, folder, options):
    rows = "scene_id,prompt\nplain,a plain fox\n"
    run = Run(mill, rows, str(folder / "key"), *options, env={"PEER_KEY": "sk-wrong-71"})
    check(run.exit == 75, run)
    check(run.ledger["exposure_today"] == "0.00", run.ledger)
    check(b"sk-wrong-71" not in run.everything(), "the key is nowhere")


def main():
    mill, cli, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    servers = Servers(cli, folder)
    try:
        options = ["--provider", "openai", "--model", "gpt-image-2", "--quality", "low"]
        options += ["--base-url", f"http://127.0.0.1:{servers.relay_port}/v1"]
        options += ["--api-key-env", "PEER_KEY", "--gate", "none", "--paid-attempts", "1"]
        for part in (faults, edit, purse, wrong_key):
            part(mill, servers, folder, options)
            print(f"aimock: {part.__name__}: as it should be", flush=True)
    finally:
        servers.stop()


if __name__ == "__main__":
    main()
