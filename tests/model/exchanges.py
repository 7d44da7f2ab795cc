"""What emberd's debug builds wrote down (src/edge/record.h), and the models it is held against."""
import base64, functools, json, os, pathlib, tomllib

import botocore.loaders
import botocore.model

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("EMBER_BUILD") or ROOT / "build")
RECORDS = BUILD / "test-logs" / "exchanges"
TOMLS = sorted((ROOT / "model").glob("*.toml"))


class Exchange:
    """One line of a record."""

    def __init__(self, row):
        self.service, self.operation = row["service"], row.get("operation")
        self.method, self.path, self.query = row["method"], row["path"], row.get("query", "")
        self.request_headers = {k.lower(): v for k, v in row["requestHeaders"]}
        self.status = row["status"]
        self.header_list = [(k.lower(), v) for k, v in row["headers"]]
        self.headers = dict(self.header_list)
        self.streamed, self.cut = row.get("streamed", False), row.get("bodyCut", False)
        self.body = base64.b64decode(row["bodyBase64"]) if "bodyBase64" in row else row.get("body", "").encode()

    def __str__(self):
        return "%s:%s %s %s%s -> %d %s" % (self.service, self.operation, self.method, self.path[:120], "?" + self.query[:120] if self.query else "", self.status,
                                          self.body[:300].decode(errors="replace"))


def read_all():
    """Every exchange of the record. A killed daemon may leave its last line broken, and only that one."""
    found = []
    for path in sorted(RECORDS.glob("*.jsonl")):
        lines = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines):
            if not line:
                continue
            try:
                found.append(Exchange(json.loads(line)))
            except ValueError:
                if number < len(lines) - 1:
                    raise
    return found


@functools.cache
def facts(service):
    """model/SERVICE.toml"""
    with open(ROOT / "model" / (service + ".toml"), "rb") as f:
        return tomllib.load(f)


@functools.cache
def model(service):
    name, version = facts(service)["model"].split("/")
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(name, "service-2", version), name)


@functools.cache
def allowed(kind):
    """Rows of allowed.toml."""
    return tomllib.loads((pathlib.Path(__file__).parent / "allowed.toml").read_text("utf-8")).get(kind, [])


def services():
    return [path.stem for path in TOMLS]


def served():
    """(service, operation) of all that is served."""
    return [(service, operation) for service in services() for operation in facts(service)["operations"]]
