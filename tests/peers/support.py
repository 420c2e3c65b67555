"""What the checks against servers and clients of others share: runs of imagemill and their books."""

import base64
import json
import os
import pathlib
import struct
import subprocess
import urllib.request
import zlib


def check(claim, *told):
    """Fails loudly, with what was found."""
    if not claim:
        raise SystemExit("\n".join(["NOT SO:", *map(str, told)]))


def png(shade):
    """A small image of one colour."""

    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + bytes([shade, 40, 90]) * 8) * 8)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def base64_png(shade):
    return base64.b64encode(png(shade)).decode()


def get(url, key="none"):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class Run:
    """One finished live run and its books."""

    def __init__(self, mill, rows, out, *options, env=None):
        path = pathlib.Path(out + ".csv")
        path.write_text(rows)
        ledger = out + "-ledger"
        command = [mill, "run", str(path), "--live", "--yes", "--out", out, "--ledger", ledger]
        told = subprocess.run(
            [*command, *options],
            capture_output=True,
            text=True,
            timeout=300,
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": out + "-home", **(env or {})},
        )
        self.exit, self.stdout, self.stderr = told.returncode, told.stdout, told.stderr
        folders = sorted(pathlib.Path(out).glob("*/journal.jsonl"))
        check(len(folders) == 1, "one run folder", told.stdout, told.stderr)
        self.folder = folders[0].parent
        lines = (self.folder / "journal.jsonl").read_text().splitlines()
        self.events = [json.loads(line)["event"] for line in lines]
        self.ledger = json.loads(
            subprocess.run(
                [mill, "ledger", "summary", "--format", "json", "--ledger", ledger],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )

    def outcomes(self):
        ended = [event for event in self.events if event["type"] == "row_finished"]
        return {event["scene_id"]: event["outcome"] for event in ended}

    def attempts(self, row):
        """The endings of the attempts of one row, in their order."""
        ended = [event for event in self.events if event["type"] == "attempt_ended"]
        return [event["ending"] for event in ended if event["scene_id"] == row]

    def rids(self):
        return [event["rid"] for event in self.events if event["type"] == "attempt_started"]

    def images(self):
        return {path.name: path.read_bytes() for path in self.folder.glob("images/*.png")}

    def everything(self):
        """All that this run told or wrote."""
        files = [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]
        return b"".join([self.stdout.encode(), self.stderr.encode(), *files])

    def __str__(self):
        return f"exit {self.exit}\n{self.stdout}\n{self.stderr}"
