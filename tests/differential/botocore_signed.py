"""Calls signed by botocore, whole, up to the bytes it would send: nothing is sent. Its clock is ours."""
import datetime, email.utils, urllib.parse

import botocore.auth, botocore.awsrequest, botocore.config, botocore.exceptions, botocore.session
import pytest

from calls import bytes_of
from wire import Request, framed

_session = botocore.session.Session()


class Taken(Exception):
    """Carries the prepared request out of the client."""


def native(value):
    if isinstance(value, list):
        return [native(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value or "$fill" in value:
        return bytes_of(value)
    if "$time" in value:
        return datetime.datetime.fromtimestamp(value["$time"], datetime.timezone.utc)
    return {k: native(v) for k, v in value.items()}


_clients = {}
seen = {} # headers of what was signed last


def client(service, mode, sigv2, region):
    key = (service, sigv2, region, bool(mode["presign"]), *(mode[k] for k in ("virtual", "unsigned", "checksum", "endpoint", "key_id")))
    if key not in _clients:
        _clients[key] = make_client(service, mode, sigv2, region)
    return _clients[key]


def make_client(service, mode, sigv2, region):
    config = dict(retries={"total_max_attempts": 1}, inject_host_prefix=False, parameter_validation=True,
                  s3={"addressing_style": "virtual" if mode["virtual"] else "path", **({"payload_signing_enabled": False} if mode["unsigned"] else {})})
    if mode["checksum"]:
        config["request_checksum_calculation"] = mode["checksum"]
    if mode["presign"] and not sigv2:
        config["signature_version"] = "s3v4" if service == "s3" else "v4"
    made = _session.create_client(service, region_name=region, endpoint_url=mode["endpoint"], aws_access_key_id=mode["key_id"],
                                  aws_secret_access_key=mode["secret"], aws_session_token=mode["token"] or None, config=botocore.config.Config(**config))
    made.meta.events.register("before-send", take)
    made.meta.events.register_last("before-sign", see)
    return made


def see(request, **_):
    seen.clear()
    seen.update((k.lower(), text_of(v)) for k, v in request.headers.items())


def take(request, **_):
    raise Taken(request)


def text_of(value):
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def raw_of(service, prepared):
    """As http.client would write it."""
    url = urllib.parse.urlsplit(prepared.url)
    headers = [(k, text_of(v)) for k, v in prepared.headers.items()]
    if "host" not in {k.lower() for k, _ in headers}:
        headers.insert(0, ("Host", url.netloc))
    body = prepared.body if prepared.body is not None else b""
    if hasattr(body, "read"):
        pieces = []
        while piece := body.read():
            pieces.append(piece)
        body = b"".join(pieces)
    if isinstance(body, str):
        body = body.encode()
    chunked = any(k.lower() == "transfer-encoding" for k, _ in headers)
    if not chunked and "content-length" not in {k.lower() for k, _ in headers} and (body or prepared.method in ("PUT", "POST")):
        headers.append(("Content-Length", str(len(body))))
    return Request(service, prepared.method, (url.path or "/") + ("?" + url.query if url.query else ""), headers, bytes(body), chunked)


def sign(call, sigv2=False, region="us-east-1"):
    """The Request, or None where botocore refuses the members."""
    made, mode = client(call["service"], call["mode"], sigv2, region), call["mode"]
    method = next(k for k, v in made.meta.method_to_api_mapping.items() if v == call["operation"])
    params = native(call["params"])
    try:
        if mode["presign"]:
            params.pop("Body", None)
            url = urllib.parse.urlsplit(made.generate_presigned_url(method, Params=params, ExpiresIn=mode["presign"],
                                                                      HttpMethod="GET" if call["service"] == "sts" else None))
            verb = "GET" if call["service"] == "sts" else made.meta.service_model.operation_model(call["operation"]).http["method"]
            request = Request(call["service"], verb, url.path + "?" + url.query, [("Host", url.netloc)])
            request.headers += [(name, seen[name]) for name in request.signed_headers if name != "host"] # whoever uses the URL must send them
            return request if all(v.isascii() for _, v in request.headers) else None
        getattr(made, method)(**params)
    except Taken as taken:
        return raw_of(call["service"], taken.args[0])
    except (botocore.exceptions.BotoCoreError, ValueError, UnicodeError):
        return None
    raise AssertionError("nothing was sent")
