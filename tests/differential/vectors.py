"""Vectors: requests that SDKs signed once, kept as NAME.jsonl.gz in vectors/. The first line tells when and by whom, each other one is
[id, service, operation, the request's bytes as latin-1].

    vectors.py make NAME COMMAND...    signs the calls of a seed with COMMAND (see go/main.go, js/client.js) and keeps the result
"""
import base64, gzip, json, pathlib, re, subprocess, sys, time

from calls import Calls
from wire import Request

FOLDER = pathlib.Path(__file__).parent / "vectors"
SEED, COUNT = 20261122, 900


def load(name):
    """(clock in ms, [(operation, Request)])"""
    with gzip.open(FOLDER / (name + ".jsonl.gz"), "rt") as f:
        head = json.loads(f.readline())
        rows = [json.loads(line) for line in f]
    return head["clock_ms"], [(operation, Request.parse(raw.encode("latin-1"), service)) for _, service, operation, raw in rows]


def make(name, command):
    calls, clock_ms = Calls(SEED).many(COUNT), int(time.time() * 1000)
    done = subprocess.run(command, input="".join(json.dumps(c) + "\n" for c in calls), stdout=subprocess.PIPE, text=True, check=True)
    rows, refused = [], 0
    for line in done.stdout.splitlines():
        row = json.loads(line)
        if "raw" not in row:
            refused += 1
            print("refused %d: %s" % (row["id"], row["refused"][:150]))
            continue
        call = calls[row["id"]] if row["id"] < len(calls) else row
        if name == "js" and re.search("X-Amz-SignedHeaders=(?!host[& ])", base64.b64decode(row["raw"]).decode("latin-1")):
            continue # its presigner does not tell the headers that go along
        rows.append([row["id"], call["service"], call["operation"], base64.b64decode(row["raw"]).decode("latin-1")])
    text = "".join(json.dumps(r, separators=(",", ":")) + "\n" for r in [{"clock_ms": clock_ms, "seed": SEED, "command": [pathlib.Path(c).name for c in command]}, *rows])
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / (name + ".jsonl.gz")).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print("%d kept, %d refused" % (len(rows), refused))


if __name__ == "__main__":
    make(sys.argv[2], sys.argv[3:])
