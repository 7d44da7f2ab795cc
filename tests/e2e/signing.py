"""SigV4 by hand, so that a test may sign wrongly in any way it likes."""
import datetime, hashlib, hmac, http.client, urllib.parse


def signed(ember, method, path, service, *, body=b"", headers=None, key_id=None, secret=None, token=None, region="us-east-1", now=None,
           scope_service=None, query="", payload=None, spoil=None):
    """Sends the request; returns (status, headers, body). spoil: changes the signed headers, names in lower case."""
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
    if spoil:
        spoil(head)
    return plain(ember, method, path + ("?" + query if query else ""), head, body)


def presigned(ember, service, query="", *, path="/", now=None, expires=60, secret=None, key_id=None, token=None, region="us-east-1", host=None, method="GET", change=None):
    """A path with its signed query, SigV4; expires None: left out. change: on the pairs before they are signed."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    scope = "/".join([day, region, service, "aws4_request"])
    pairs = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    pairs.update({"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": "%s/%s" % (key_id or ember.key_id, scope), "X-Amz-Date": stamp,
                  "X-Amz-SignedHeaders": "host"})
    if expires is not None:
        pairs["X-Amz-Expires"] = str(expires)
    if token:
        pairs["X-Amz-Security-Token"] = token
    if change:
        change(pairs)
    quote = lambda text: urllib.parse.quote(text, safe="-_.~")
    text = "&".join("%s=%s" % (quote(k), quote(v)) for k, v in sorted(pairs.items()))
    payload = "UNSIGNED-PAYLOAD" if service == "s3" else hashlib.sha256(b"").hexdigest()
    host = host or urllib.parse.urlsplit(ember.endpoint).netloc
    canonical = "\n".join([method, path, text, "host:" + host, "", "host", payload])
    key = ("AWS4" + (secret or ember.secret)).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    return "%s?%s&X-Amz-Signature=%s" % (path, text, hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest())


def plain(ember, method, target, headers=None, body=None):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(ember.endpoint).netloc, timeout=120)
    try:
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()
