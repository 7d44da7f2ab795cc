"""S3's POST forms as boto3 presigns them: what is let in, and AWS's words for what is not."""
import base64, datetime, hashlib, hmac, http.client, json, re, urllib.parse
import xml.etree.ElementTree as ElementTree

import botocore.config
import pytest
from botocore.exceptions import ClientError

from signing import plain


@pytest.fixture(scope="module")
def s3(ember):
    client = ember.client("s3")
    client.create_bucket(Bucket="forms")
    return client


def client_of(ember, version, **more):
    return ember.client("s3", config=botocore.config.Config(signature_version=version), **more)


def form_body(fields, file=b"hello", file_name="name.txt", after=(), end=True):
    """multipart/form-data by hand, so that a test may write it wrongly; fields: a dictionary or pairs; file None: without."""
    pairs = list(fields.items()) if isinstance(fields, dict) else list(fields)
    parts = [b'--edge\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (k.encode(), v if isinstance(v, bytes) else v.encode()) for k, v in pairs]
    if file is not None:
        parts.append(b'--edge\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: text/plain\r\n\r\n%s\r\n' % (file_name.encode(), file))
    parts += [b'--edge\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (k.encode(), v.encode()) for k, v in after]
    return b"".join(parts) + (b"--edge--\r\n" if end else b"")


def send(ember, body, path="/forms", headers=None):
    return plain(ember, "POST", path, {"Content-Type": "multipart/form-data; boundary=edge", **(headers or {})}, body)


def post(ember, made, file=b"hello", extra=(), **more):
    """made: what generate_presigned_post returned."""
    return send(ember, form_body({**made["fields"], **dict(extra)}, file, **more), urllib.parse.urlsplit(made["url"]).path)


def error_of(answer):
    root = ElementTree.fromstring(answer)
    assert root.tag == "Error" and root.find("RequestId").text and root.find("HostId").text
    return root.find("Code").text, root.find("Message").text


def get(s3, key):
    return s3.get_object(Bucket="forms", Key=key)["Body"].read()


def is_missing(s3, key):
    return not s3.list_objects_v2(Bucket="forms", Prefix=key).get("Contents")


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_post_stores_the_file(ember, s3, version):
    made = client_of(ember, version).generate_presigned_post("forms", "plain-" + version)
    assert ("x-amz-signature" in made["fields"]) == (version == "s3v4")
    status, headers, answer = post(ember, made, b"x" * 300000)
    assert (status, answer) == (204, b"")
    assert headers["etag"] == '"%s"' % hashlib.md5(b"x" * 300000).hexdigest()
    assert headers["location"].endswith("/forms/plain-" + version)
    assert get(s3, "plain-" + version) == b"x" * 300000


@pytest.mark.parametrize("name", ["x-amz-meta-a:b", "x-amz-meta-a b", "x-amz-meta-\0", "x-amz-meta-ü"])
def test_metadata_that_could_be_no_header_is_refused(ember, s3, name):
    """Else every GET of the object would answer with a broken head."""
    made = s3.generate_presigned_post("forms", "no-header", Fields={name: "c"}, Conditions=[{name: "c"}])
    status, _, answer = post(ember, made)
    assert (status, error_of(answer)[0]) == (400, "InvalidArgument")
    assert is_missing(s3, "no-header")


def test_what_boto3_makes_by_default(ember, s3):
    made = s3.generate_presigned_post("forms", "by-default")
    assert post(ember, made)[0] == 204 and get(s3, "by-default") == b"hello"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_session_posts_with_its_token(ember, s3, session, version):
    made = client_of(ember, version, **session).generate_presigned_post("forms", "by-session")
    assert post(ember, made)[0] == 204
    made["fields"]["x-amz-security-token"] = "another"
    assert error_of(post(ember, made)[2])[0] == "InvalidToken"


@pytest.fixture(scope="module")
def session(ember):
    import sqlite3
    with sqlite3.connect(ember.data_dir / "ember.db", timeout=120) as db:
        db.execute("INSERT INTO access_key(access_key_id, secret, session_token, principal_arn, user_id, created_at) VALUES(?,?,?,?,?,0)",
                   ("ASIAFORMFORMFORMFORM", "f" * 40, "token+of/a=run", "arn:aws:sts::111122223333:assumed-role/job/run", "AROA:run"))
    db.close()
    return dict(aws_access_key_id="ASIAFORMFORMFORMFORM", aws_secret_access_key="f" * 40, aws_session_token="token+of/a=run")


def test_fields_become_headers_and_the_name_of_the_file_the_key(ember, s3):
    fields = {"Content-Type": "text/x", "Cache-Control": "no-cache", "x-amz-meta-who": "${filename}", "x-amz-storage-class": "STANDARD_IA"}
    conditions = [{k: v} for k, v in fields.items() if k != "x-amz-meta-who"] + [["starts-with", "$x-amz-meta-who", ""]]
    made = s3.generate_presigned_post("forms", "in/${filename}", Fields=fields, Conditions=conditions)
    status, headers, _ = post(ember, made, b"1", file_name="C:\\photos\\my cat+1.jpg")
    assert status == 204 and headers["location"].endswith("/forms/in/my%20cat%2B1.jpg")
    got = s3.get_object(Bucket="forms", Key="in/my cat+1.jpg")
    assert (got["ContentType"], got["CacheControl"], got["Metadata"], got["StorageClass"]) == ("text/x", "no-cache", {"who": "my cat+1.jpg"}, "STANDARD_IA")


def test_a_form_stores_its_file_and_never_copies(ember, s3):
    s3.put_object(Bucket="forms", Key="other", Body=b"six by")
    copy = {"x-amz-copy-source": "/forms/other"}
    made = s3.generate_presigned_post("forms", "no-copy", Fields=copy, Conditions=[copy, ["content-length-range", 0, 3]])
    assert post(ember, made, b"123")[0] == 204 and get(s3, "no-copy") == b"123"
    status, _, answer = post(ember, made, b"1234")
    assert (status, error_of(answer)[0]) == (400, "EntityTooLarge") and get(s3, "no-copy") == b"123"


@pytest.mark.parametrize("name", ["a%0D%0AX: b", "a%0Ab", "a%0Db", "a%00b", "a%01b", "a%7Fb"])
def test_the_name_of_the_file_ends_no_header(ember, s3, name):
    conditions = [["starts-with", "$x-amz-meta-who", ""], ["starts-with", "$Content-Type", ""]]
    for field in ("x-amz-meta-who", "Content-Type"):
        made = s3.generate_presigned_post("forms", "named", Fields={field: "${filename}"}, Conditions=[c for c in conditions if c[1] == "$" + field])
        body = form_body(made["fields"], None, end=False) + (b'--edge\r\nContent-Disposition: form-data; name="file"; filename*=utf-8\'\'%s\r\n\r\n1\r\n--edge--\r\n'
                                                             % name.encode())
        status, _, answer = send(ember, body)
        assert (status, error_of(answer)[0]) == (400, "InvalidArgument") and is_missing(s3, "named")


def test_a_name_that_comes_twice_is_one_field(ember, s3):
    made = s3.generate_presigned_post("forms", "twice", Conditions=[["eq", "$x-amz-meta-a", "1,2"]])
    pairs = list(made["fields"].items())
    assert send(ember, form_body(pairs + [("x-amz-meta-a", "1"), ("X-Amz-Meta-A", "2")]))[0] == 204
    assert s3.head_object(Bucket="forms", Key="twice")["Metadata"] == {"a": "1,2"}
    status, _, answer = send(ember, form_body(pairs + [("x-amz-meta-a", "1,2"), ("key", "elsewhere")]))
    assert (status, error_of(answer)[0]) == (403, "AccessDenied")


def test_what_follows_the_file_says_nothing(ember, s3):
    made = s3.generate_presigned_post("forms", "after")
    assert send(ember, form_body(made["fields"], after=[("key", "elsewhere"), ("submit", "Upload")]))[0] == 204
    assert get(s3, "after") == b"hello"


@pytest.mark.parametrize("fields, status, location", [
    ({"success_action_status": "200"}, 200, None),
    ({"success_action_status": "201"}, 201, None),
    ({"success_action_status": "404"}, 204, None),
    ({"success_action_redirect": "http://other.example/done?a=b"}, 303, "http://other.example/done?a=b&bucket=forms&key=answers&etag=%22{md5}%22"),
    ({"redirect": "https://other.example/"}, 303, "https://other.example/?bucket=forms&key=answers&etag=%22{md5}%22"),
    ({"success_action_redirect": "javascript:alert(1)", "success_action_status": "200"}, 200, None),
])
def test_how_it_is_answered(ember, s3, fields, status, location):
    made = s3.generate_presigned_post("forms", "answers", Fields=fields, Conditions=[{k: v} for k, v in fields.items()])
    got, headers, answer = post(ember, made)
    md5 = hashlib.md5(b"hello").hexdigest()
    assert got == status
    assert headers["location"] == (location.format(md5=md5) if location else ember.endpoint + "/forms/answers")
    if status != 201:
        assert answer == b""
        return
    root = ElementTree.fromstring(answer)
    assert (root.tag, [(e.tag, e.text) for e in root]) == ("PostResponse", [
        ("Location", ember.endpoint + "/forms/answers"), ("Bucket", "forms"), ("Key", "answers"), ("ETag", '"%s"' % md5)])


def test_checksums_of_a_form(ember, s3):
    sha256 = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    def made(value):
        fields = {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": value}
        return s3.generate_presigned_post("forms", "summed", Fields=fields, Conditions=[{k: v} for k, v in fields.items()])
    status, headers, _ = post(ember, made(sha256))
    assert status == 204 and headers["x-amz-checksum-sha256"] == sha256
    status, _, answer = post(ember, made(sha256), b"other")
    assert (status, *error_of(answer)) == (400, "BadDigest", "The SHA256 you specified did not match the calculated checksum.")
    fields = {"x-amz-checksum-sha512": "x"}
    status, _, answer = post(ember, s3.generate_presigned_post("forms", "summed", Fields=fields, Conditions=[fields]))
    assert (status, error_of(answer)[0]) == (400, "InvalidRequest")


@pytest.mark.parametrize("size, status, code", [(0, 400, "EntityTooSmall"), (9, 400, "EntityTooSmall"), (10, 204, None), (20, 204, None), (21, 400, "EntityTooLarge"),
                                                (3 << 20, 400, "EntityTooLarge")])
def test_sizes_are_held_to(ember, s3, size, status, code):
    made = s3.generate_presigned_post("forms", "sized-%d" % size, Conditions=[["content-length-range", 10, 20]])
    try:
        got, _, answer = post(ember, made, b"x" * size)
    except (BrokenPipeError, ConnectionResetError): # refused before all of it was read
        assert size > 1 << 20
    else:
        assert got == status
        if code:
            root = ElementTree.fromstring(answer)
            assert root.find("Code").text == code
            assert (root.find("MinSizeAllowed" if code == "EntityTooSmall" else "MaxSizeAllowed").text) == ("10" if code == "EntityTooSmall" else "20")
    assert is_missing(s3, "sized-%d" % size) == (status != 204)


# ---- refusals ----

def signed_policy(ember, document, **fields):
    """SigV4 fields around any policy text."""
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    text = base64.b64encode(document if isinstance(document, bytes) else json.dumps(document).encode()).decode()
    key = ("AWS4" + ember.secret).encode()
    for part in (day, "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return {"key": "refused", "policy": text, "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-date": stamp,
            "x-amz-credential": "%s/%s/us-east-1/s3/aws4_request" % (ember.key_id, day),
            "x-amz-signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), **fields}


SOON = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
AUTH = [["starts-with", "$x-amz-" + name, ""] for name in ("algorithm", "credential", "date")]


def policy(*conditions, expiration=SOON):
    return {"expiration": expiration, "conditions": [{"bucket": "forms"}, ["starts-with", "$key", ""], *AUTH, *conditions]}


FAILED = "Invalid according to Policy: Policy Condition failed: "
REFUSALS = [
    ("expired", policy(expiration="2020-01-01T00:00:00Z"), {}, 403, "AccessDenied", "Invalid according to Policy: Policy expired."),
    ("eq", policy(["eq", "$key", "other"]), {}, 403, "AccessDenied", FAILED + '["eq", "$key", "other"]'),
    ("starts-with", policy(["starts-with", "$key", "user/"]), {}, 403, "AccessDenied", FAILED + '["starts-with", "$key", "user/"]'),
    ("field-missing", policy({"acl": "private"}), {}, 403, "AccessDenied", FAILED + '["eq", "$acl", "private"]'),
    ("bucket", policy({"bucket": "other"}), {}, 403, "AccessDenied", FAILED + '["eq", "$bucket", "other"]'),
    ("bucket-field", policy({"bucket": "other"}), {"bucket": "other"}, 403, "AccessDenied", FAILED + '["eq", "$bucket", "other"]'),
    ("extra", policy(), {"x-amz-meta-a": "1", "submit": "x"}, 403, "AccessDenied", "Invalid according to Policy: Extra input fields: x-amz-meta-a, submit"),
    ("not-json", b"{", {}, 400, "InvalidPolicyDocument", "Invalid Policy: Invalid JSON."),
    ("no-expiration", {"conditions": []}, {}, 400, "InvalidPolicyDocument", "Invalid Policy: Policy missing expiration."),
    ("no-conditions", {"expiration": SOON}, {}, 400, "InvalidPolicyDocument", "Invalid Policy: Policy missing conditions."),
    ("odd-condition", policy({}), {}, 400, "InvalidPolicyDocument",
     "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."),
    ("signature", policy(), {"x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch", None),
    ("key-id", policy(), {"x-amz-credential": "AKIANOBODY/20261121/us-east-1/s3/aws4_request", "x-amz-date": "20261121T211000Z"}, 403, None, None),
    ("region", policy(), {"x-amz-credential": "A/20261121/eu-west-1/s3/aws4_request"}, 400, "AuthorizationQueryParametersError",
     "Error parsing the X-Amz-Credential parameter; the region 'eu-west-1' is wrong; expecting 'us-east-1'"),
    ("algorithm", policy(), {"x-amz-algorithm": "AWS4-ECDSA-P256-SHA256"}, 400, "InvalidRequest",
     "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."),
    ("no-key", policy(), {"key": None}, 400, "InvalidArgument",
     "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."),
    ("empty-key", policy(), {"key": ""}, 400, "InvalidArgument", "User key must have a length greater than 0."),
    ("no-signature", policy(), {"x-amz-signature": None}, 400, "InvalidArgument",
     "Bucket POST must contain a field named 'X-Amz-Signature'.  If it is specified, please check the order of the fields."),
    ("no-policy", policy(), {"policy": None}, 400, "InvalidArgument",
     "Bucket POST must contain a field named 'policy'.  If it is specified, please check the order of the fields."),
    ("header", policy(["starts-with", "$x-amz-meta-a", ""]), {"x-amz-meta-a": "1\r\nx-amz-acl: public-read"}, 400, "InvalidArgument", None),
    ("acl", policy({"acl": "public-read"}), {"acl": "public-read"}, 400, "AccessControlListNotSupported", None),
    ("long-key", policy(), {"key": "k" * 1025}, 400, "KeyTooLongError", None),
    ("too-much", policy(), {"x-ignore-me": "x" * 20480}, 400, "MaxPostPreDataLengthExceededError",
     "Your POST request fields preceding the upload file were too large."),
]


@pytest.mark.parametrize("document, fields, status, code, message", [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refusals(ember, s3, document, fields, status, code, message):
    all_fields = {k: v for k, v in {**signed_policy(ember, document), **fields}.items() if v is not None}
    got, _, answer = send(ember, form_body(all_fields))
    told, text = error_of(answer)
    assert got == status
    assert told == code if code else told in ("InvalidAccessKeyId", "RequestTimeTooSkewed") # by how old the date is
    assert message is None or text == message
    assert is_missing(s3, "refused")


def test_unsigned_forms_are_anonymous(ember, s3):
    status, _, answer = send(ember, form_body({"key": "refused"}))
    assert (status, *error_of(answer)) == (403, "AccessDenied", "Access Denied")


def test_no_such_bucket(ember, s3):
    made = s3.generate_presigned_post("forms-nowhere", "k")
    status, _, answer = post(ember, made)
    assert (status, error_of(answer)[0]) == (404, "NoSuchBucket")


@pytest.mark.parametrize("change, code", [
    (lambda body: body.replace(b"--edge--\r\n", b""), "MalformedPOSTRequest"),
    (lambda body: body[:-12], "MalformedPOSTRequest"),
    (lambda body: b"text\r\n" + body, "MalformedPOSTRequest"),
    (lambda body: body.replace(b"form-data", b"attachment"), "MalformedPOSTRequest"),
    (lambda body: body.replace(b'name="file"', b'name="pile"'), "InvalidArgument"),
    (lambda body: b"", "MalformedPOSTRequest"),
])
def test_what_is_no_form(ember, s3, change, code):
    fields = s3.generate_presigned_post("forms", "refused")["fields"]
    status, _, answer = send(ember, change(form_body(fields)))
    assert (status, error_of(answer)[0]) == (400, code)
    assert is_missing(s3, "refused")


def test_a_form_needs_its_length_and_a_boundary(ember, s3):
    body = form_body(s3.generate_presigned_post("forms", "refused")["fields"])
    status, _, answer = plain(ember, "POST", "/forms", {"Content-Type": "multipart/form-data"}, body)
    assert (status, error_of(answer)[0]) == (400, "MalformedPOSTRequest")
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(ember.endpoint).netloc, timeout=120)
    connection.request("POST", "/forms", iter([body]), {"Content-Type": "multipart/form-data; boundary=edge"}, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, error_of(answer.read())[0]) == (411, "MissingContentLength")
    connection.close()


def test_forms_to_a_virtual_host(ember, s3):
    made = s3.generate_presigned_post("forms", "virtual")
    status, headers, _ = send(ember, form_body(made["fields"]), "/", {"Host": "forms.s3.us-east-1.amazonaws.com"})
    assert status == 204 and get(s3, "virtual") == b"hello"
