"""SigV4 by hand, so that a test may sign wrongly in any way it likes."""
import datetime, hashlib, hmac, http.client, urllib.parse


def signed(ember, method, path, service, *, body=b"", headers=None, key_id=None, secret=None, token=None, region="us-east-1", now=None,
           scope_service=None, query="", payload=None):
    """Sends the request; returns (status, headers, body)."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    host = urllib.parse.urlsplit(ember.endpoint).netloc
    head = {"host": host, "x-amz-date": stamp, **{k.lower(): v for k, v in (headers or {}).items()}}
    payload = payload or hashlib.sha256(body).hexdigest()
    if service == "s3":
        head["x-amz-content-sha256"] = payload
    if token:
        head["x-amz-security-token"] = token
    names = ";".join(sorted(head))
    encoded = path if service == "s3" else urllib.parse.quote(path, safe="/-_.~")
    canonical = "\n".join([method, encoded, query, *("%s:%s" % (k, head[k]) for k in sorted(head)), "", names, payload])
    scope = "/".join([day, region, scope_service or service, "aws4_request"])
    key = ("AWS4" + (secret or ember.secret)).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    head["authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        key_id or ember.key_id, scope, names, hmac.new(key, text.encode(), hashlib.sha256).hexdigest())
    return plain(ember, method, path + ("?" + query if query else ""), head, body)


def plain(ember, method, target, headers=None, body=None):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(ember.endpoint).netloc, timeout=30)
    try:
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()
