"""Requests as raw bytes: taken apart, put together again, sent to the verifier (verify.c), and its verdict read."""
import dataclasses, http.client, io, re, socket, urllib.parse

FAMILIES = {"sts": "query", "iam": "query", "logs": "json", "emr-containers": "rest", "eks": "rest", "s3": "s3"}


@dataclasses.dataclass
class Request:
    service: str
    method: str
    target: str
    headers: list
    body: bytes = b""
    chunked: bool = False # HTTP's own chunks around the body

    @staticmethod
    def parse(raw, service):
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, version = lines[0].split(" ")
        assert version == "HTTP/1.1"
        headers = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines[1:])]
        request = Request(service, method, target, headers, body)
        if (request.get("transfer-encoding") or "").lower() == "chunked":
            request.chunked, request.body = True, unframed(body)
        return request

    def raw(self):
        body = framed(self.body) if self.chunked else self.body
        return ("%s %s HTTP/1.1\r\n" % (self.method, self.target) + "".join("%s: %s\r\n" % h for h in self.headers) + "\r\n").encode("latin-1") + body

    def copy(self, **changed):
        return dataclasses.replace(self, **{"headers": list(self.headers), **changed})

    def get(self, name):
        return next((v for k, v in self.headers if k.lower() == name), None)

    def with_header(self, name, value):
        """That header's (first) value replaced; None removes it."""
        at = next(i for i, (k, _) in enumerate(self.headers) if k.lower() == name)
        return self.copy(headers=self.headers[:at] + ([(self.headers[at][0], value)] if value is not None else []) + self.headers[at + 1:])

    def with_body(self, body):
        other = self.copy(body=body)
        if self.chunked:
            return other
        if self.get("content-length") is not None:
            return other.with_header("content-length", str(len(body)))
        other.headers.append(("Content-Length", str(len(body))))
        return other

    @property
    def family(self):
        return FAMILIES[self.service]

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return self.target.partition("?")[2]

    def with_query(self, query):
        return self.copy(target=self.path + ("?" + query if query else ""))

    @property
    def how(self):
        """How it is signed."""
        if self.get("authorization"):
            return "header"
        return "v4-query" if "X-Amz-Signature=" in self.query else "v2-query"

    @property
    def signed_headers(self):
        if self.how == "v2-query":
            return []
        text = re.search("SignedHeaders=([^,]+)", self.get("authorization")).group(1) if self.how == "header" else \
            urllib.parse.unquote(re.search("X-Amz-SignedHeaders=([^&]+)", self.query).group(1))
        return text.split(";")

    @property
    def payload(self):
        """S3: how the body is covered."""
        if self.how != "header":
            return "UNSIGNED-PAYLOAD"
        value = self.get("x-amz-content-sha256")
        return value if value.startswith(("STREAMING-", "UNSIGNED-")) else "hashed"


def framed(body, size=40000):
    pieces = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def unframed(body):
    out, rest = b"", body
    while True:
        size, _, rest = rest.partition(b"\r\n")
        count = int(size, 16)
        if not count:
            assert rest == b"\r\n", rest
            return out
        out, rest = out + rest[:count], rest[count + 2:]


@dataclasses.dataclass
class Verdict:
    status: int
    code: str # absent for answers to HEAD
    headers: dict
    body: bytes

    @property
    def accepted(self):
        return self.headers.get("x-ember-verdict") == "accepted"


def code_of(status, headers, body):
    if not body:
        return None
    kind = headers.get("content-type", "")
    if "xml" in kind:
        found = re.search(rb"<Code>([^<]*)</Code>", body)
    elif "json" in kind:
        found = re.search(rb'"__type":"([^"]*)"', body)
    else:
        found = None
    return found.group(1).decode() if found else body[:80].decode("latin-1")


def exchange(port, request):
    """Sends the request as it is on a connection of its own; its verdict."""
    raw = request.raw() if isinstance(request, Request) else request
    with socket.create_connection(("127.0.0.1", port), timeout=120) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            s.sendall(raw)
        except OSError:
            pass # refused before all of it was read: the answer tells
        answer = http.client.HTTPResponse(s, method=raw.split(b" ", 1)[0].decode())
        answer.begin()
        body = answer.read()
    headers = {k.lower(): v for k, v in answer.getheaders()}
    return Verdict(answer.status, code_of(answer.status, headers, body), headers, body)
