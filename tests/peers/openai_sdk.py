"""The official OpenAI client against `imagemill sim`: proof that it speaks the real wire format.

Usage: openai_sdk.py MILL FOLDER, with the `openai` package installed. Starts the server, stops it by
its process id, and looks that its port is closed.
"""

import base64
import pathlib
import signal
import socket
import subprocess
import sys

import openai

from support import check, get, png


class Sim:
    def __init__(self, mill):
        self.process = subprocess.Popen(
            [mill, "sim", "--listen", "127.0.0.1:0", "--sim", "latency=10ms"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.base_url = self.process.stdout.readline().removeprefix("listening on ").strip()
        self.root = self.base_url.removesuffix("/v1")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        with socket.socket() as probe:
            port = int(self.root.rsplit(":", 1)[1])
            check(probe.connect_ex(("127.0.0.1", port)) != 0, "the port is closed")


def generate(client, _):
    raw = client.images.with_raw_response.generate(
        model="gpt-image-2",
        prompt="a fox",
        size="1024x1024",
        quality="low",
        output_format="png",
        extra_headers={"X-Client-Request-Id": "sdk-1"},
    )
    answer = raw.parse()
    check(raw.headers["x-request-id"].startswith("req-sim-"), raw.headers)
    image = base64.b64decode(answer.data[0].b64_json)
    check(image.startswith(b"\x89PNG") and len(answer.data) == 1, answer)
    usage = answer.usage
    check(usage.total_tokens == usage.input_tokens + usage.output_tokens > 0, usage)
    details = usage.input_tokens_details
    check(usage.input_tokens == details.text_tokens + details.image_tokens, usage)
    check((answer.size, answer.quality, answer.output_format) == ("1024x1024", "low", "png"), answer)


def edit(client, folder):
    paths = [folder / f"reference-{n}.png" for n in (1, 2)]
    for shade, path in enumerate(paths):
        path.write_bytes(png(shade))
    answer = client.images.edit(
        model="gpt-image-2",
        image=[open(path, "rb") for path in paths],
        prompt="the same fox, in snow",
        size="1024x1024",
        quality="low",
    )
    check(base64.b64decode(answer.data[0].b64_json).startswith(b"\x89PNG"), answer)
    check(answer.usage.input_tokens_details.image_tokens > 0, answer.usage)


def models(client, _):
    names = [model.id for model in client.models.list()]
    check("gpt-image-2" in names, names)


def errors(client, _):
    """Each fault is the exception that the client knows for it."""

    def raises(word, kind, code):
        try:
            client.images.generate(model="gpt-image-2", prompt=f"[sim:{word}] a fox")
        except kind as error:
            check(error.code == code, word, error)
            return error
        raise SystemExit(f"NOT SO: {word} is no error")

    slow = raises("429", openai.RateLimitError, "rate_limit_exceeded")
    check(float(slow.response.headers["retry-after"]) > 0, slow.response.headers)
    raises("quota", openai.RateLimitError, "credit_balance_exhausted")
    raises("500", openai.InternalServerError, "server_error")
    raises("401", openai.AuthenticationError, "invalid_api_key")
    raises("refused", openai.BadRequestError, "moderation_blocked")


def books(sim):
    """Two images were delivered, and the server error was billed without one."""
    bill = get(f"{sim.root}/bill?entries=1")
    billed = [(entry["outcome"], entry["delivered"]) for entry in bill["entries"]]
    check(billed == [("image", True), ("image", True), ("500", False)], bill)


def main():
    mill, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    sim = Sim(mill)
    try:
        client = openai.OpenAI(base_url=sim.base_url, api_key="any", max_retries=0, timeout=20)
        for part in (generate, edit, models, errors):
            part(client, folder)
            print(f"openai client: {part.__name__}: as it should be", flush=True)
        books(sim)
    finally:
        sim.stop()


if __name__ == "__main__":
    main()
