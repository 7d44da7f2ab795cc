"""Answers of the real emberd, taken as bytes: botocore parses them as they come, and the SDK for Go is shown the same bytes again by
a server that knows nothing else. What both make of an answer is brought into one form and compared."""
import base64, datetime, http.client, io, json, socket, subprocess, threading, urllib.parse

import botocore.awsrequest, botocore.config, botocore.exceptions, botocore.session
from botocore.response import StreamingBody

from botocore_signed import native, raw_of


class Stream(io.BytesIO):
    def stream(self, *_, **__):
        while piece := self.read(65536):
            yield piece


class Recorder:
    """A botocore client that keeps what was answered last."""

    def __init__(self, endpoint, key_id, secret, token=None):
        self.endpoint, self.keys, self.clients, self.last = endpoint, (key_id, secret, token), {}, None

    def client(self, service):
        if service not in self.clients:
            made = botocore.session.Session().create_client(
                service, region_name="us-east-1", endpoint_url=self.endpoint, aws_access_key_id=self.keys[0], aws_secret_access_key=self.keys[1],
                aws_session_token=self.keys[2], config=botocore.config.Config(retries={"total_max_attempts": 1}, inject_host_prefix=False,
                                                                             parameter_validation=False, s3={"addressing_style": "path"}))
            made.meta.events.register("before-send", self.exchange)
            self.clients[service] = made
        return self.clients[service]

    def exchange(self, request, **_):
        raw = raw_of("", request)
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.endpoint).netloc, timeout=120)
        try:
            connection.request(raw.method, raw.target, raw.body or None, {k: v.encode("latin-1") for k, v in raw.headers})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        self.last = (raw.method, answer.status, answer.getheaders(), body)
        return botocore.awsrequest.AWSResponse(request.url, answer.status, botocore.awsrequest.HeadersDict(answer.getheaders()), Stream(body))

    def call(self, service, operation, params):
        """{"output": …} or {"code", "message", "status"}, and the answer's bytes in self.last."""
        client = self.client(service)
        method = next(k for k, v in client.meta.method_to_api_mapping.items() if v == operation)
        shape = client.meta.service_model.operation_model(operation).output_shape
        try:
            out = getattr(client, method)(**native(params))
        except botocore.exceptions.ClientError as e:
            error, meta = e.response["Error"], e.response["ResponseMetadata"]
            return {"code": error["Code"], "message": error["Message"], "status": meta["HTTPStatusCode"]}
        out.pop("ResponseMetadata")
        return {"output": view(shape, out, operation) if shape else {}}


class WrongType(AssertionError):
    pass


TYPES = {"string": str, "integer": int, "long": int, "boolean": bool, "float": (float, int), "double": (float, int), "timestamp": datetime.datetime}


def view(shape, value, where):
    """botocore's value in the form of go/show.go; its type must be the model's."""
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            raise WrongType("%s: a union with %s" % (where, list(value)))
        if set(value) - set(shape.members):
            raise WrongType("%s: members that the model lacks: %s" % (where, set(value) - set(shape.members)))
        missing = [m for m in shape.required_members if m not in value]
        if missing:
            raise WrongType("%s: required members are not there: %s" % (where, missing))
        return {n[0].upper() + n[1:]: view(shape.members[n], v, where + "." + n) for n, v in value.items() if v is not None}
    if kind == "list":
        return [view(shape.member, v, where + "[]") for v in value]
    if kind == "map":
        return {k: view(shape.value, v, where + "{}") for k, v in value.items()}
    if kind == "blob":
        data = value.read() if isinstance(value, (StreamingBody, Stream)) or hasattr(value, "read") else value
        return {"$bytes": base64.b64encode(data).decode()}
    if not isinstance(value, TYPES[kind]) or (kind in ("integer", "long") and isinstance(value, bool)):
        raise WrongType("%s is %r, not of type %s" % (where, value, kind))
    if kind == "string" and shape.enum and value not in shape.enum:
        raise WrongType("%s is %r, not one of %s" % (where, value, shape.enum))
    if kind == "timestamp":
        return {"$time": round(value.timestamp(), 3)}
    return value


# Members that the pinned release of the SDK for Go does not have yet.
NOT_IN_GO = {"SchedulerConfiguration", "SchedulerStatus", "SessionEnabled"}
# Operations that it does not have yet, and one of the same answer that it has: the echo answers whatever is asked.
LIKE_IN_GO = {("emr-containers", "UpdateVirtualCluster"): "DescribeVirtualCluster", ("emr-containers", "DeleteSecurityConfiguration"): "DeleteJobTemplate"}


def differences(botocore_says, go_says, where=""):
    """Lines. What Go keeps without a pointer cannot be absent: zero and absent are one there."""
    if isinstance(botocore_says, dict) and isinstance(go_says, dict):
        if "$time" in botocore_says and "$time" in go_says:
            return [] if abs(botocore_says["$time"] - go_says["$time"]) < 0.0015 else ["%s: %s, Go %s" % (where, botocore_says, go_says)]
        out = []
        for name in {**botocore_says, **go_says}:
            left, right = botocore_says.get(name), go_says.get(name)
            if name in NOT_IN_GO and right is None:
                continue
            if right is None and left in (0, False, "", []) or left is None and right in ("",):
                continue
            out += differences(left, right, where + "." + name)
        return out
    if isinstance(botocore_says, list) and isinstance(go_says, list) and len(botocore_says) == len(go_says):
        return [line for i, (a, b) in enumerate(zip(botocore_says, go_says)) for line in differences(a, b, "%s[%d]" % (where, i))]
    if isinstance(botocore_says, int) and isinstance(go_says, str) and where.endswith("PartNumberMarker"): # their models differ
        go_says = int(go_says)
    return [] if botocore_says == go_says else ["%s: %r, Go %r" % (where, botocore_says, go_says)]


class Echo:
    """Answers every request with the answer it was given last."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answer = None
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as f:
                connection.settimeout(30)
                length, method = 0, f.readline().split(b" ")[0]
                while (line := f.readline()).strip():
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                    if name.lower() == b"expect":
                        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                f.read(length)
                _, status, headers, body = self.answer
                kept = [(k, v) for k, v in headers if k.lower() not in ("connection", "transfer-encoding", "content-length")]
                size = next((v for k, v in headers if k.lower() == "content-length"), None) # of HEAD: the object's
                if status not in (204, 304):
                    kept.append(("Content-Length", size if size is not None else str(len(body))))
                head = "HTTP/1.1 %d X\r\n" % status + "".join("%s: %s\r\n" % h for h in kept) + "Connection: close\r\n\r\n"
                connection.sendall(head.encode("latin-1") + (b"" if method == b"HEAD" else body))

    def close(self):
        self.listener.close()


class Go:
    """The SDK for Go: go/main.go, a line in, a line out."""

    def __init__(self, program, echo):
        self.process = subprocess.Popen([program, "call"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.echo, self.count = echo, 0

    def parse(self, service, operation, params, answer):
        self.echo.answer, self.count = answer, self.count + 1
        mode = {"endpoint": "http://127.0.0.1:%d" % self.echo.port, "key_id": "AKIAECHO", "secret": "x", "token": "", "virtual": False}
        self.process.stdin.write(json.dumps({"id": self.count, "service": service, "operation": operation, "params": params, "mode": mode}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        self.process.stdout.close()
