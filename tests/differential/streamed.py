"""S3 uploads with signed chunks (STREAMING-AWS4-HMAC-SHA256-PAYLOAD[-TRAILER]), as the SDK for Java sends them: botocore signs the
head, the chunks are signed here as the S3 guide tells ("Signature calculations: transferring payload in multiple chunks")."""
import base64, hashlib, hmac, zlib

import botocore.auth, botocore.awsrequest, botocore.credentials

import calls
from wire import Request

ALGORITHMS = {"crc32": lambda d: zlib.crc32(d).to_bytes(4, "big"), "sha1": lambda d: hashlib.sha1(d).digest(), "sha256": lambda d: hashlib.sha256(d).digest()}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def auth_for(payload_text):
    class Auth(botocore.auth.S3SigV4Auth):
        def payload(self, request):
            return payload_text
    return Auth


def signing_key(secret, scope):
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def sign(rng, path="/bucket/key", host="127.0.0.1:4567"):
    session = rng.random() < 0.3
    secret = calls.SESSION_SECRET if session else calls.SECRET
    credentials = botocore.credentials.Credentials(calls.SESSION_ID if session else calls.KEY_ID, secret, calls.TOKEN if session else None)
    data = rng.choice([rng.randbytes(rng.choice([0, 1, 100, 8192, 20000])), b"a" * rng.choice([65536, 66560, 131072, 200001])])
    size = rng.choice([8192, 16384, 65536])
    algorithm = rng.choice([None, *ALGORITHMS])
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if algorithm else "")
    request = botocore.awsrequest.AWSRequest("PUT", "http://" + host + path, headers={
        "Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": str(len(data)), "Content-Type": "application/octet-stream"})
    if algorithm:
        request.headers["X-Amz-Trailer"] = "x-amz-checksum-" + algorithm
    request.headers["X-Amz-Content-SHA256"] = kind
    auth = auth_for(kind)(credentials, "s3", "us-east-1")
    auth.add_auth(request)
    value, date = request.headers["Authorization"], request.headers["X-Amz-Date"]
    signature, scope = value.split("Signature=")[1], value.split("Credential=")[1].split(",")[0].split("/", 1)[1]
    key = signing_key(secret, scope)

    def chain(what, *parts):
        nonlocal signature
        signature = hmac.new(key, "\n".join(["AWS4-HMAC-SHA256-" + what, date, scope, signature, *parts]).encode(), hashlib.sha256).hexdigest()
        return signature.encode()

    body = b""
    for piece in [data[at:at + size] for at in range(0, len(data), size)] + [b""]:
        body += b"%x;chunk-signature=%s\r\n" % (len(piece), chain("PAYLOAD", sha256(b""), sha256(piece))) + (piece + b"\r\n" if piece else b"")
    if algorithm:
        trailer = b"x-amz-checksum-%s:%s" % (algorithm.encode(), base64.b64encode(ALGORITHMS[algorithm](data)))
        body += trailer + b"\r\nx-amz-trailer-signature:" + chain("TRAILER", sha256(trailer + b"\n")) + b"\r\n"
    body += b"\r\n"
    headers = [("Host", host), *((k, str(v)) for k, v in request.headers.items())]
    made = Request("s3", "PUT", path, headers, body, chunked=rng.random() < 0.3)
    made.headers.append(("Transfer-Encoding", "chunked") if made.chunked else ("Content-Length", str(len(body))))
    return made
