"""Changes of one thing in a signed request. Each function gives (changed request, what AWS says of it), or None where the change
does not apply; what AWS says is a set of (status, code), one of which must come. "ok" marks changes that mean the same."""
import re, urllib.parse

MISMATCH = {"query": (403, "SignatureDoesNotMatch"), "json": (400, "InvalidSignatureException"), "rest": (403, "InvalidSignatureException"),
            "s3": (403, "SignatureDoesNotMatch")}
UNKNOWN_KEY = {"query": (403, "InvalidClientTokenId"), "json": (400, "UnrecognizedClientException"), "rest": (403, "UnrecognizedClientException"),
               "s3": (403, "InvalidAccessKeyId")}
INCOMPLETE = {"query": (400, "IncompleteSignature"), "json": (400, "IncompleteSignatureException"), "rest": (403, "IncompleteSignatureException"),
              "s3": (400, "AuthorizationHeaderMalformed")}
MALFORMED = {**MISMATCH, "s3": (400, "AuthorizationHeaderMalformed")} # a wrong scope
BAD_TOKEN = {**UNKNOWN_KEY, "s3": (400, "InvalidToken")}
TOO_OLD = {**MISMATCH, "s3": (403, "RequestTimeTooSkewed")}
NO_CREDENTIALS = {"query": (403, "MissingAuthenticationToken"), "json": (400, "MissingAuthenticationTokenException"), "s3": (403, "AccessDenied")}
QUERY_MALFORMED = {**INCOMPLETE, "s3": (400, "AuthorizationQueryParametersError")}
OK = "ok"

FRAMING = {"host", "content-length", "transfer-encoding", "expect", "connection"}
ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEX = "0123456789abcdef"
CHANGES = []


def change(function):
    CHANGES.append(function)
    return function


def other(rng, c, alphabet=ALNUM):
    return rng.choice([x for x in alphabet if x != c and x.lower() != c.lower()])


def flip(rng, text, pattern, alphabet=ALNUM):
    """text with one byte changed inside what pattern's first group matches."""
    found = re.search(pattern, text)
    if not found or not found.group(1):
        return None
    at = rng.randrange(found.start(1), found.end(1))
    return text[:at] + other(rng, text[at], alphabet) + text[at + 1:]


def flip_plain(rng, text):
    """One byte changed that stands for itself: not of an escape."""
    places = [m.start() for m in re.finditer(r"%..|([A-Za-z0-9])", text) if m.group(1)]
    if not places:
        return None
    at = rng.choice(places)
    return text[:at] + other(rng, text[at]) + text[at + 1:]


def says(table, r):
    return {table[r.family]}


# ---- path and method ----

def has_dots(path):
    return re.search(r"(^|/)(\.\.?)?(/|$)", path[1:]) is not None


@change
def path_byte(r, rng):
    # botocore signs a normalised path: what stands before ".." it does not sign. (AWS is the same: operations are authorised as routed.)
    if r.family != "s3" and has_dots(r.path):
        return None
    path = flip_plain(rng, r.path)
    return path and (r.copy(target=path + r.target[len(r.path):]), says(MISMATCH, r))


@change
def path_longer(r, rng):
    return r.copy(target=r.path + rng.choice(["x", "/x", "%20"]) + r.target[len(r.path):]), says(MISMATCH, r)


@change
def path_another_escape(r, rng):
    """%C3 as %c3 is the same octet."""
    found = re.search("%[0-9A-F]*[A-F][0-9A-F]*", r.path)
    if not found or r.how == "v2-query" or r.family != "s3":
        return None
    return r.copy(target=r.path.replace(found.group(0)[:3], found.group(0)[:3].lower()) + r.target[len(r.path):]), OK


@change
def method(r, rng):
    to = rng.choice([m for m in ("GET", "PUT", "POST", "DELETE", "HEAD") if m != r.method])
    return r.copy(method=to), says(MISMATCH, r)


@change
def method_case(r, rng):
    return r.copy(method=r.method.lower()), {(400, None), (501, None), *says(MISMATCH, r)}


# ---- query ----

def parameters(r):
    return r.query.split("&") if r.query else []


def free_parameters(r):
    return [i for i, p in enumerate(parameters(r)) if p and not p.startswith(("X-Amz-", "AWSAccessKeyId", "Signature=", "Expires="))]


@change
def query_byte(r, rng):
    places = [i for i in free_parameters(r) if r.how != "v2-query"]
    if not places:
        return None
    params, at = parameters(r), rng.choice(places)
    params[at] = flip_plain(rng, params[at])
    return params[at] and (r.with_query("&".join(params)), says(MISMATCH, r))


@change
def query_less(r, rng):
    places = [i for i in free_parameters(r) if r.how != "v2-query"]
    if not places:
        return None
    params = parameters(r)
    del params[rng.choice(places)]
    return r.with_query("&".join(params)), says(MISMATCH, r)


@change
def query_more(r, rng):
    more = rng.choice(["added=1", "added", "acl", "versionId=1"] if r.how != "v2-query" else ["acl", "versionId=1", "x-amz-meta-a=b", "response-content-type=text%2Fhtml"])
    if r.query and re.search("(^|&)%s(=|&|$)" % more.partition("=")[0], r.query):
        return None
    return r.with_query(r.query + "&" + more if r.query else more), says(MISMATCH, r)


@change
def query_twice(r, rng):
    places = [i for i, p in enumerate(parameters(r)) if p and not p.startswith(("X-Amz-Signature", "X-Amz-Algorithm"))]
    if not places or r.how == "v2-query":
        return None
    return r.with_query(r.query + "&" + parameters(r)[rng.choice(places)]), says(MISMATCH, r)


@change
def query_order(r, rng):
    params = parameters(r)
    if len(params) < 2 or r.how == "v2-query":
        return None
    rng.shuffle(params)
    return r.with_query("&".join(params)), OK


@change
def query_signature(r, rng):
    if r.how == "header":
        return None
    if r.how == "v4-query":
        return r.with_query(flip(rng, r.query, "X-Amz-Signature=([0-9a-f]+)", HEX)), says(MISMATCH, r)
    before, _, after = r.query.partition("Signature=")
    value, more, rest = after.partition("&")
    return r.with_query(before + "Signature=" + flip_plain(rng, value) + more + rest), says(MISMATCH, r)


@change
def query_no_signature(r, rng):
    if r.how != "v4-query":
        return None
    return r.with_query(re.sub("&?X-Amz-Signature=[0-9a-f]+", "", r.query)), says(QUERY_MALFORMED, r)


@change
def query_key(r, rng):
    if r.how == "header":
        return None
    return r.with_query(flip(rng, r.query, "X-Amz-Credential=....([A-Z0-9]+)" if r.how == "v4-query" else "AWSAccessKeyId=....([A-Z0-9]+)", ALNUM[:26])), says(UNKNOWN_KEY, r)


@change
def query_expiry(r, rng):
    if r.how == "v2-query":
        return r.with_query(re.sub(r"Expires=(\d+)", lambda m: "Expires=%d" % (int(m.group(1)) + 1), r.query)), says(MISMATCH, r)
    if r.how == "v4-query" and "X-Amz-Expires=" in r.query:
        return r.with_query(re.sub(r"X-Amz-Expires=(\d+)", lambda m: "X-Amz-Expires=%d" % (int(m.group(1)) - 1), r.query)), says(MISMATCH, r)
    return None


@change
def query_too_long_expiry(r, rng):
    if r.how != "v4-query" or r.family != "s3":
        return None
    return r.with_query(re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=604801", r.query)), {(400, "AuthorizationQueryParametersError")}


@change
def query_date(r, rng):
    if r.how != "v4-query":
        return None
    return r.with_query(re.sub(r"(X-Amz-Date=\d+T\d\d\d\d)(\d\d)Z", lambda m: m.group(1) + "%02dZ" % ((int(m.group(2)) + 1) % 60), r.query)), says(MISMATCH, r)


# ---- headers ----

def changeable(r):
    return [k for k, v in r.headers if k.lower() in r.signed_headers and k.lower() not in FRAMING | {"x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "date"}]


@change
def header_byte(r, rng):
    names = [n for n in changeable(r) if flip_plain(rng, r.get(n.lower()))]
    if not names:
        return None
    name = rng.choice(names).lower()
    return r.with_header(name, flip_plain(rng, r.get(name))), says(MISMATCH, r)


@change
def header_longer(r, rng):
    if not changeable(r):
        return None
    name = rng.choice(changeable(r)).lower()
    return r.with_header(name, rng.choice([r.get(name) + "x", "x" + r.get(name), r.get(name) + " x"])), says(MISMATCH, r)


@change
def header_less(r, rng):
    names = [n for n in changeable(r) if r.get(n.lower())] # one that is empty is signed like one that is not there
    if not names:
        return None
    return r.with_header(rng.choice(names).lower(), None), says(MISMATCH, r)


@change
def header_twice(r, rng):
    if not changeable(r):
        return None
    name = rng.choice(changeable(r))
    return r.copy(headers=r.headers + [(name, r.get(name.lower()))]), says(MISMATCH, r)


@change
def header_twice_before(r, rng):
    """Whoever takes the first value must not be told another than was signed."""
    if not changeable(r):
        return None
    name = rng.choice(changeable(r))
    return r.copy(headers=[(name, "x")] + r.headers), says(MISMATCH, r)


@change
def header_order(r, rng):
    headers = list(r.headers)
    rng.shuffle(headers)
    return r.copy(headers=headers), OK


@change
def header_case(r, rng):
    return r.copy(headers=[(rng.choice([k.upper(), k.lower(), k.title()]), v) for k, v in r.headers]), OK


@change
def header_blanks(r, rng):
    """Outer blanks and the length of inner ones are nobody's."""
    if any("\t" in v for _, v in r.headers): # signed as they are by Go, as blanks by others
        return None
    return r.copy(headers=[(k, "  " + v.replace(" ", rng.choice(["  ", " \t", "   "])) + " \t") if k.lower() in r.signed_headers and k.lower() not in FRAMING and
                           not k.lower().startswith("x-amz-content") else (k, v) for k, v in r.headers]), OK


@change
def header_added(r, rng):
    """All x-amz-* must be signed."""
    if r.how == "v2-query":
        return None
    name = rng.choice(["x-amz-meta-added", "X-Amz-Acl", "x-amz-tagging", "x-amz-storage-class", "x-amz-copy-source", "x-amz-security-token"])
    if r.get(name.lower()) is not None:
        return None
    if r.family != "s3":
        return r.copy(headers=r.headers + [(name, "x")]), {MISMATCH[r.family], UNKNOWN_KEY[r.family]}
    if name == "x-amz-security-token":
        return r.copy(headers=r.headers + [(name, "x")]), {(403, "AccessDenied"), (400, "InvalidToken")}
    return r.copy(headers=r.headers + [(name, "x")]), {(403, "AccessDenied")}


@change
def header_host(r, rng):
    if r.how == "v2-query": # does not sign it
        return None
    return r.with_header("host", rng.choice(["other.example", "ember.example:1", r.get("host") + "x"])), says(MISMATCH, r)


@change
def header_date(r, rng):
    if r.how != "header" or not r.get("x-amz-date"):
        return None
    date = r.get("x-amz-date")
    return r.with_header("x-amz-date", date[:13] + "%02dZ" % ((int(date[13:15]) + 1) % 60)), says(MISMATCH, r)


@change
def header_token(r, rng):
    if not r.get("x-amz-security-token"):
        return None
    return r.with_header("x-amz-security-token", flip_plain(rng, r.get("x-amz-security-token"))), says(BAD_TOKEN, r)


@change
def header_no_token(r, rng):
    if not r.get("x-amz-security-token"):
        return None
    return r.with_header("x-amz-security-token", None), says(UNKNOWN_KEY, r)


@change
def header_payload(r, rng):
    if r.family != "s3" or not r.get("x-amz-content-sha256") or r.how != "header":
        return None
    value = r.get("x-amz-content-sha256")
    to = "UNSIGNED-PAYLOAD" if value != "UNSIGNED-PAYLOAD" else "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    return r.with_header("x-amz-content-sha256", to), says(MISMATCH, r)


# ---- Authorization ----

def authorization(r, value):
    return value and r.with_header("authorization", value)


def in_header(function):
    def wrapped(r, rng):
        return function(r, rng, r.get("authorization")) if r.how == "header" else None
    wrapped.__name__ = function.__name__
    return change(wrapped)


@in_header
def auth_signature(r, rng, value):
    return authorization(r, flip(rng, value, "Signature=([0-9a-f]+)", HEX)), says(MISMATCH, r)


@in_header
def auth_key(r, rng, value):
    return authorization(r, flip(rng, value, "Credential=....([A-Z0-9]+)", ALNUM[:26])), says(UNKNOWN_KEY, r)


@in_header
def auth_scope_date(r, rng, value):
    return authorization(r, re.sub(r"/(\d{7})(\d)/", lambda m: "/%s%d/" % (m.group(1), (int(m.group(2)) + 1) % 10), value)), says(MALFORMED, r)


@in_header
def auth_region(r, rng, value):
    # STS is signed with any region: there the signature does not hold.
    return authorization(r, value.replace("/us-east-1/", "/us-east-2/")), says(MALFORMED, r)


@in_header
def auth_service(r, rng, value):
    to = "eks" if r.service != "eks" else "emr-containers"
    return authorization(r, value.replace("/%s/aws4" % r.service, "/%s/aws4" % to)), {MISMATCH["rest"]}


@in_header
def auth_unknown_service(r, rng, value):
    return authorization(r, value.replace("/%s/aws4" % r.service, "/sqs/aws4")), {MISMATCH["rest"], MISMATCH["json"], MISMATCH["query"]}


@in_header
def auth_terminator(r, rng, value):
    return authorization(r, value.replace("/aws4_request", "/aws4_requesx")), says(MALFORMED, r)


@in_header
def auth_signs_less(r, rng, value):
    names = r.signed_headers
    name = rng.choice(names)
    rest = [n for n in names if n != name]
    if not rest:
        return None
    changed = authorization(r, value.replace("SignedHeaders=" + ";".join(names), "SignedHeaders=" + ";".join(rest)))
    return changed, {(403, "AccessDenied")} if r.family == "s3" and name.startswith("x-amz-") else says(MISMATCH, r)


@in_header
def auth_signs_in_another_order(r, rng, value):
    names = r.signed_headers
    if len(names) < 2:
        return None
    return authorization(r, value.replace(";".join(names), ";".join(names[1:] + names[:1]))), says(MISMATCH, r)


@in_header
def auth_algorithm(r, rng, value):
    return authorization(r, value.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")), {(400, "InvalidRequest")} if r.family == "s3" else says(INCOMPLETE, r)


@in_header
def auth_part_missing(r, rng, value):
    part = rng.choice([r"Signature=\w+", r"SignedHeaders=[^,]+, ?", r"Credential=[^,]+, ?"])
    if "Credential" in part: # names the service as well
        return authorization(r, re.sub(part, "", value)), {*INCOMPLETE.values()}
    return authorization(r, re.sub(part, "", value)), says(INCOMPLETE, r)


@in_header
def auth_missing(r, rng, value):
    if r.family == "rest": # nothing else tells the service: anonymous, at S3
        return r.with_header("authorization", None), {NO_CREDENTIALS["s3"]}
    return r.with_header("authorization", None), says(NO_CREDENTIALS, r)


@in_header
def auth_twice(r, rng, value):
    bad = flip(rng, value, "Signature=([0-9a-f]+)", HEX)
    headers = r.headers + [("Authorization", bad)] if rng.random() < 0.5 else [("Authorization", bad)] + r.headers
    return r.copy(headers=headers), {(400, None), MISMATCH[r.family], INCOMPLETE[r.family], (400, "InvalidArgument"), (400, "InvalidRequest")}


@in_header
def auth_and_query(r, rng, value):
    more = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=" + "0" * 64
    return r.with_query(r.query + "&" + more if r.query else more), {MISMATCH[r.family], (400, "InvalidArgument"), INCOMPLETE[r.family]}


# ---- body ----

def body_says(r):
    """Of changed bytes."""
    if r.family != "s3":
        return says(MISMATCH, r)
    if r.payload == "hashed":
        return {(400, "XAmzContentSHA256Mismatch")}
    if r.payload == "UNSIGNED-PAYLOAD":
        return {(400, "BadDigest")} if any(k.lower().startswith("x-amz-checksum-c") or k.lower().startswith("x-amz-checksum-s") for k, _ in r.headers) else None
    return None


@change
def body_byte(r, rng):
    expected = body_says(r)
    if not r.body or not expected:
        return None
    at = rng.randrange(len(r.body))
    return r.with_body(r.body[:at] + bytes([r.body[at] ^ (1 << rng.randrange(8))]) + r.body[at + 1:]), expected


def resized(r, body):
    expected = body_says(r)
    if not expected or (r.family != "s3" and r.how != "header"):
        return None
    return r.with_body(body), says(MISMATCH, r) if "content-length" in r.signed_headers else expected


@change
def body_longer(r, rng):
    return resized(r, r.body + b"x")


@change
def body_shorter(r, rng):
    return resized(r, r.body[:-1]) if r.body else None


# ---- aws-chunked ----

def streaming(function):
    def wrapped(r, rng):
        return function(r, rng, "HMAC" in r.payload) if r.family == "s3" and r.how == "header" and r.payload.startswith("STREAMING-") else None
    wrapped.__name__ = function.__name__
    return change(wrapped)


def first_data(body):
    """Where the first chunk's data stand."""
    head, _, _ = body.partition(b"\r\n")
    return len(head) + 2, int(head.partition(b";")[0], 16)


@streaming
def chunk_data(r, rng, signed):
    start, size = first_data(r.body)
    if not size:
        return None
    at = start + rng.randrange(size)
    return r.with_body(r.body[:at] + bytes([r.body[at] ^ 1]) + r.body[at + 1:]), {MISMATCH["s3"]} if signed else {(400, "BadDigest")}


@streaming
def chunk_signature(r, rng, signed):
    places = [m.start(1) for m in re.finditer(b"chunk-signature=([0-9a-f]{64})", r.body)]
    if not places:
        return None
    at = rng.choice(places) + rng.randrange(64)
    return r.with_body(r.body[:at] + other(rng, chr(r.body[at]), HEX).encode() + r.body[at + 1:]), {MISMATCH["s3"]}


@streaming
def chunk_without_signature(r, rng, signed):
    if not signed:
        return None
    body = re.sub(b";chunk-signature=[0-9a-f]{64}", b"", r.body, count=1)
    return resize_streamed(r, body, {MISMATCH["s3"]})


def resize_streamed(r, body, expected):
    return r.with_body(body), {MISMATCH["s3"]} if "content-length" in r.signed_headers and not r.chunked and len(body) != len(r.body) else expected


@streaming
def chunk_size(r, rng, signed):
    start, size = first_data(r.body)
    if not size:
        return None
    changed = b"%x" % (size + rng.choice([-1, 1]) if size > 1 else size + 1)
    body = changed + r.body[r.body.index(b";" if signed else b"\r\n"):]
    return resize_streamed(r, body, {MISMATCH["s3"], (400, "InvalidRequest"), (400, "IncompleteBody")})


@streaming
def chunks_end_early(r, rng, signed):
    start, size = first_data(r.body)
    if size < 2:
        return None
    return resize_streamed(r, r.body[:start + size // 2], {(400, "IncompleteBody")})


@streaming
def chunk_data_less(r, rng, signed):
    """The chunks left out whole, the end kept."""
    start, size = first_data(r.body)
    if not size or len(r.body) > start + size + 2 + 400:
        return None
    return resize_streamed(r, r.body[start + size + 2:], {MISMATCH["s3"]} if signed else {(400, "IncompleteBody"), (400, "BadDigest")})


@streaming
def trailer_value(r, rng, signed):
    found = re.search(rb"\r\nx-amz-checksum-\w+:([A-Za-z0-9+/]+)", r.body)
    if not found:
        return None
    at = found.start(1) + rng.randrange(len(found.group(1)) - 1)
    body = r.body[:at] + other(rng, chr(r.body[at])).encode() + r.body[at + 1:]
    return r.with_body(body), {MISMATCH["s3"]} if signed else {(400, "BadDigest")}


@streaming
def trailer_name(r, rng, signed):
    if b"\r\nx-amz-checksum-" not in r.body:
        return None
    return r.with_body(r.body.replace(b"\r\nx-amz-checksum-", b"\r\nx-amz-checksun-", 1)), {MISMATCH["s3"]} if signed else {(400, "MalformedTrailerError")}


@streaming
def trailer_less(r, rng, signed):
    body = re.sub(rb"\r\nx-amz-checksum-\w+:[^\r\n]+", b"", r.body, count=1)
    if body == r.body:
        return None
    return resize_streamed(r, body, {MISMATCH["s3"], (400, "MalformedTrailerError")} if signed else {(400, "MalformedTrailerError")})


@streaming
def trailer_signature(r, rng, signed):
    found = re.search(rb"x-amz-trailer-signature:([0-9a-f]{64})", r.body)
    if not found:
        return None
    at = found.start(1) + rng.randrange(64)
    return r.with_body(r.body[:at] + other(rng, chr(r.body[at]), HEX).encode() + r.body[at + 1:]), {MISMATCH["s3"]}


@streaming
def trailer_signature_less(r, rng, signed):
    body = re.sub(rb"x-amz-trailer-signature:[0-9a-f]{64}\r\n", b"", r.body)
    return None if body == r.body else resize_streamed(r, body, {(400, "MalformedTrailerError"), MISMATCH["s3"]})


@streaming
def decoded_length(r, rng, signed):
    value = int(r.get("x-amz-decoded-content-length"))
    expected = {MISMATCH["s3"]} if "x-amz-decoded-content-length" in r.signed_headers else {(400, "IncompleteBody"), (403, "AccessDenied")}
    return r.with_header("x-amz-decoded-content-length", str(value + 1)), expected
