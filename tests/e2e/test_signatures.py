"""Who may come in: wrong keys, wrong secrets and wrong clocks in each protocol's words, and what a job run's session may do."""
import datetime, hashlib, json, re, sqlite3

import boto3
import pytest
from botocore.exceptions import ClientError

from signing import plain, presigned, signed

# service: how to send one request of it
REQUESTS = {
    "sts": ("POST", "/", {"Content-Type": "application/x-www-form-urlencoded"}, b"Action=GetCallerIdentity&Version=2011-06-15"),
    "logs": ("POST", "/", {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328.DescribeLogGroups"}, b"{}"),
    "emr-containers": ("GET", "/virtualclusters", {}, b""),
    "s3": ("GET", "/", {}, b""),
}


def code_of(service, headers, body):
    if service in ("sts", "s3"):
        return re.search(rb"<Code>(\w+)</Code>", body).group(1).decode()
    document = json.loads(body)
    if service == "emr-containers":
        assert headers["x-amzn-errortype"] == document["__type"]
    return document["__type"]


def send(ember, service, **wrong):
    method, path, headers, body = REQUESTS[service]
    status, headers, answer = signed(ember, method, path, service, headers=headers, body=body, **wrong)
    if service != "s3":
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["x-amzn-requestid"])
    return status, code_of(service, headers, answer) if status >= 400 else None, answer


@pytest.mark.parametrize("service", REQUESTS)
def test_a_good_signature_is_let_in(ember, service):
    assert send(ember, service)[0] == 200


HOUR = datetime.timedelta(hours=1)
TABLE = [
    ("key", {"key_id": "AKIAAAAAAAAAAAAAAAAA"}, {
        "sts": (403, "InvalidClientTokenId"), "logs": (400, "UnrecognizedClientException"),
        "emr-containers": (403, "UnrecognizedClientException"), "s3": (403, "InvalidAccessKeyId")}),
    ("secret", {"secret": "no" * 20}, {
        "sts": (403, "SignatureDoesNotMatch"), "logs": (400, "InvalidSignatureException"),
        "emr-containers": (403, "InvalidSignatureException"), "s3": (403, "SignatureDoesNotMatch")}),
    ("old", {"now": datetime.datetime.now(datetime.timezone.utc) - HOUR}, {
        "sts": (403, "SignatureDoesNotMatch"), "logs": (400, "InvalidSignatureException"),
        "emr-containers": (403, "InvalidSignatureException"), "s3": (403, "RequestTimeTooSkewed")}),
    ("early", {"now": datetime.datetime.now(datetime.timezone.utc) + 24 * HOUR}, {
        "sts": (403, "SignatureDoesNotMatch"), "logs": (400, "InvalidSignatureException"),
        "emr-containers": (403, "InvalidSignatureException"), "s3": (403, "RequestTimeTooSkewed")}),
    ("region", {"region": "eu-west-1"}, {
        "sts": (200, None), "logs": (400, "InvalidSignatureException"),
        "emr-containers": (403, "InvalidSignatureException"), "s3": (400, "AuthorizationHeaderMalformed")}),
]


@pytest.mark.parametrize("what, wrong, expected", TABLE, ids=[row[0] for row in TABLE])
@pytest.mark.parametrize("service", REQUESTS)
def test_wrong_signatures_are_told_in_the_protocols_words(ember, service, what, wrong, expected):
    assert send(ember, service, **wrong)[:2] == expected[service]


def test_texts(ember):
    text = send(ember, "sts", now=datetime.datetime.now(datetime.timezone.utc) - HOUR)[2].decode()
    assert re.search(r"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 15 min.\)", text)
    text = send(ember, "emr-containers", secret="x")[2].decode()
    assert "The request signature we calculated does not match the signature you provided." in text


@pytest.mark.parametrize("service, status, code", [
    ("sts", 403, "MissingAuthenticationToken"), ("logs", 400, "MissingAuthenticationTokenException"), ("s3", 403, "AccessDenied"),
    ("emr-containers", 403, "MissingAuthenticationTokenException")])
def test_no_signature(ember, service, status, code):
    method, path, headers, body = REQUESTS[service]
    if service == "emr-containers": # else it could be the listing of a bucket of that name
        headers = {"Host": "emr-containers.us-east-1.amazonaws.com"}
    got, answer_headers, answer = plain(ember, method, path, headers, body)
    assert (got, code_of(service, answer_headers, answer)) == (status, code)


MISMATCH = {"sts": (403, "SignatureDoesNotMatch"), "logs": (400, "InvalidSignatureException"), "emr-containers": (403, "InvalidSignatureException")}
INCOMPLETE = {"sts": (400, "IncompleteSignature"), "logs": (400, "IncompleteSignatureException"), "emr-containers": (403, "IncompleteSignatureException")}


def set_authorization(old, new):
    def spoil(head):
        assert old in head["authorization"]
        head["authorization"] = head["authorization"].replace(old, new)
    return spoil


def add(name, value):
    return lambda head: head.update({name: value})


SPOILT = [
    ("credential-missing", set_authorization("Credential=", "Crede="), {**INCOMPLETE, "s3": (400, "AuthorizationHeaderMalformed")},
     "requires 'Credential' parameter.", "requires three components: Credential, SignedHeaders, and Signature."),
    ("no-equal-sign", add("authorization", "AWS4-HMAC-SHA256 x"), {**INCOMPLETE, "s3": (400, "AuthorizationHeaderMalformed")},
     "'x' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 x'.", "requires three components"),
    ("no-date", lambda head: head.pop("x-amz-date"), {**INCOMPLETE, "s3": (403, "AccessDenied")},
     "requires existence of either a 'X-Amz-Date' or a 'Date' header.", "AWS authentication requires a valid Date or x-amz-date header"),
    ("host", set_authorization("host;", ""), {**MISMATCH, "s3": (403, "SignatureDoesNotMatch")},
     "'Host' must be a 'SignedHeader' in the AWS Authorization.", "Check your key and signing method."),
    ("extra-header", add("x-amz-extra", "1"), {**MISMATCH, "s3": (403, "AccessDenied")},
     "'x-amz-extra' must be a 'SignedHeader' in the AWS Authorization.", "There were headers present in the request which were not signed"),
    ("day", set_authorization("/us-east-1/", "1/us-east-1/"), {**MISMATCH, "s3": (400, "AuthorizationHeaderMalformed")},
     "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP", "Invalid credential date"),
    ("terminator", set_authorization("aws4_request", "aws9_request"), {**MISMATCH, "s3": (400, "AuthorizationHeaderMalformed")},
     "valid terminator: 'aws4_request'", "incorrect terminal"),
    ("sigv4a", set_authorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), {**INCOMPLETE, "s3": (400, "InvalidRequest")},
     "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."),
    ("bearer", add("authorization", "Bearer x"), {**INCOMPLETE, "s3": (400, "InvalidRequest")}, "Unsupported AWS 'algorithm'",
     "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."),
    ("signature", lambda head: head.update({"authorization": head["authorization"][:-1] + "x"}),
     {**MISMATCH, "s3": (403, "SignatureDoesNotMatch")}, "The request signature we calculated does not match", "does not match the signature you provided"),
]


@pytest.mark.parametrize("spoil, expected, text, text_s3", [row[1:] for row in SPOILT], ids=[row[0] for row in SPOILT])
@pytest.mark.parametrize("service", REQUESTS)
def test_each_spoilt_header_is_told_in_the_protocols_words(ember, service, spoil, expected, text, text_s3):
    def spoil_and_name(head):
        spoil(head)
        if service == "emr-containers": # without a scope the host says whose request it is
            head["host"] = "emr-containers.us-east-1.amazonaws.com"
    status, code, answer = send(ember, service, spoil=spoil_and_name)
    message = re.sub(rb"&apos;|&#39;", b"'", answer).decode()
    assert (status, code) == expected[service], message
    assert (text_s3 if service == "s3" else text) in message


@pytest.mark.parametrize("service", ["sts", "logs", "emr-containers", "s3"])
def test_the_clock_may_be_a_quarter_of_an_hour_off(ember, service):
    now = datetime.datetime.now(datetime.timezone.utc)
    for minutes in (-14.8, 14.8):
        assert send(ember, service, now=now + datetime.timedelta(minutes=minutes))[0] == 200


def test_only_one_way_to_sign(ember):
    status, headers, answer = signed(ember, "GET", "/", "s3", query="X-Amz-Algorithm=AWS4-HMAC-SHA256")
    assert (status, code_of("s3", headers, answer)) == (400, "InvalidArgument") and b"Only one auth mechanism allowed" in answer


# ---- presigned ----

def test_sts_does_not_look_at_the_expiry(ember):
    """The EKS token: a quarter of an hour whatever X-Amz-Expires says."""
    now, action = datetime.datetime.now(datetime.timezone.utc), "Action=GetCallerIdentity&Version=2011-06-15"
    for expires in (1, 604800, 9999999):
        at = now - datetime.timedelta(minutes=14)
        assert plain(ember, "GET", presigned(ember, "sts", action, now=at, expires=expires))[0] == 200
    status, headers, answer = plain(ember, "GET", presigned(ember, "sts", action, now=now - datetime.timedelta(minutes=16), expires=604800))
    assert (status, code_of("sts", headers, answer)) == (403, "SignatureDoesNotMatch") and b"Signature expired: " in answer


@pytest.mark.parametrize("age_s, expires, status, code", [
    (0, 1000, 200, None), (3000, 3600, 200, None), (3700, 3600, 403, "AccessDenied"), (0, 604800, 200, None), (0, 604801, 400, "AuthorizationQueryParametersError"),
    (0, -1, 400, "AuthorizationQueryParametersError"), (0, None, 400, "AuthorizationQueryParametersError"), (-1000, 3600, 403, "RequestTimeTooSkewed"),
])
def test_expiry_of_presigned_urls(ember, age_s, expires, status, code):
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=age_s)
    got, headers, answer = plain(ember, "GET", presigned(ember, "s3", now=now, expires=expires))
    assert (got, code and code_of("s3", headers, answer)) == (status, code)
    if code == "AccessDenied":
        assert b"<Message>Request has expired</Message><X-Amz-Expires>3600</X-Amz-Expires><Expires>" in answer and b"<ServerTime>" in answer


def test_sigv4a_urls_are_refused(ember):
    target = presigned(ember, "s3", change=lambda pairs: pairs.update({"X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256", "X-Amz-Region-Set": "*"}))
    status, headers, answer = plain(ember, "GET", target)
    assert (status, code_of("s3", headers, answer)) == (400, "InvalidRequest")


@pytest.mark.parametrize("payload, status, code", [
    ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", 501, "NotImplemented"), ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", 501, "NotImplemented"),
    ("STREAMING-SOMETHING", 501, "NotImplemented"), ("abc", 400, "InvalidArgument")])
def test_payloads_that_are_not_served(ember, payload, status, code):
    got, headers, answer = signed(ember, "PUT", "/changed/k", "s3", body=b"x", payload=payload)
    assert (got, code_of("s3", headers, answer)) == (status, code)


def test_a_changed_body_does_not_pass(ember):
    hash_of_another = hashlib.sha256(b"another").hexdigest()
    ember.client("s3").create_bucket(Bucket="changed")
    status, headers, answer = signed(ember, "PUT", "/changed/k", "s3", body=b"body", payload=hash_of_another)
    assert (status, code_of("s3", headers, answer)) == (400, "XAmzContentSHA256Mismatch")
    assert "Contents" not in ember.client("s3").list_objects_v2(Bucket="changed")
    method, path, head, body = REQUESTS["logs"]
    status, headers, answer = signed(ember, method, path, "logs", body=body, headers=head, payload=hash_of_another)
    assert (status, code_of("logs", headers, answer)) == (400, "InvalidSignatureException")


def test_the_date_header_is_always_there(ember):
    assert "date" in plain(ember, "GET", "/")[1]


# ---- a job run's session ----

TOKEN = "session-token-of-a-run"


@pytest.fixture(scope="module")
def session(ember):
    """As the reconciler makes one; written beside it, since no operation of the API does."""
    with sqlite3.connect(ember.data_dir / "ember.db", timeout=120) as db:
        db.execute("INSERT INTO access_key(access_key_id, secret, session_token, principal_arn, user_id, job_run_id, created_at)"
                   " VALUES(?,?,?,?,?,?,?)", ("ASIATESTTESTTESTTEST", "s" * 40, TOKEN, "arn:aws:sts::111122223333:assumed-role/job/run",
                                              "AROATESTTESTTESTTEST1:run", None, 0))
    db.close()
    return dict(aws_access_key_id="ASIATESTTESTTESTTEST", aws_secret_access_key="s" * 40, aws_session_token=TOKEN)


def test_a_session_may_use_s3_and_logs(ember, session):
    s3, logs = ember.client("s3", **session), ember.client("logs", **session)
    s3.create_bucket(Bucket="of-session")
    s3.put_object(Bucket="of-session", Key="k", Body=b"x")
    logs.create_log_group(logGroupName="of-session")


def test_a_session_knows_who_it_is(ember, session):
    assert ember.client("sts", **session).get_caller_identity()["Arn"] == "arn:aws:sts::111122223333:assumed-role/job/run"


@pytest.mark.parametrize("service, operation, arguments, resource", [
    ("emr-containers", "list_virtual_clusters", {}, "*"),
    ("emr-containers", "describe_virtual_cluster", {"id": "abc"}, "arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/abc"),
    ("emr-containers", "start_job_run", {"virtualClusterId": "abc"}, "arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/abc"),
    ("eks", "describe_cluster", {"name": "local"}, "arn:aws:eks:us-east-1:111122223333:cluster/local"),
])
def test_a_session_may_do_nothing_else(ember, session, service, operation, arguments, resource):
    with pytest.raises(ClientError) as e:
        getattr(ember.client(service, **session), operation)(**arguments)
    error = e.value.response["Error"]
    assert error["Code"] == "AccessDeniedException" and e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    name = "".join(part.capitalize() for part in operation.split("_"))
    assert error["Message"] == ("User: arn:aws:sts::111122223333:assumed-role/job/run is not authorized to perform: %s:%s on resource: %s "
                                "because no identity-based policy allows the %s:%s action" % (service, name, resource, service, name))


@pytest.mark.parametrize("token", [None, "another-token", TOKEN + "x"])
@pytest.mark.parametrize("service, code", [("emr-containers", "UnrecognizedClientException"), ("logs", "UnrecognizedClientException")])
def test_a_session_must_show_its_token(ember, session, service, code, token):
    assert send(ember, service, key_id=session["aws_access_key_id"], secret=session["aws_secret_access_key"], token=token)[1] == code


@pytest.fixture(scope="module")
def ended(ember):
    """A session that ended a second ago, and one that has an hour left."""
    import time
    keys = []
    with sqlite3.connect(ember.data_dir / "ember.db", timeout=120) as db:
        for i, left_s in enumerate((-1, 3600)):
            key = "ASIAENDSENDSENDSEND%d" % i
            db.execute("INSERT INTO access_key(access_key_id, secret, session_token, principal_arn, user_id, created_at, expires_at) VALUES(?,?,?,?,?,0,?)",
                       (key, "e" * 40, TOKEN, "arn:aws:sts::111122223333:assumed-role/job/ends", "AROA:ends", int((time.time() + left_s) * 1000)))
            keys.append(dict(key_id=key, secret="e" * 40, token=TOKEN))
    db.close()
    return keys


@pytest.mark.parametrize("service, status, code, text", [
    ("sts", 403, "ExpiredToken", b"The security token included in the request is expired"),
    ("logs", 400, "ExpiredTokenException", b"The security token included in the request is expired"),
    ("emr-containers", 403, "ExpiredTokenException", b"The security token included in the request is expired"),
    ("s3", 400, "ExpiredToken", b"The provided token has expired."),
])
def test_a_session_ends(ember, ended, service, status, code, text):
    got, told, answer = send(ember, service, **ended[0])
    assert (got, told) == (status, code) and text in answer
    got, told, _ = send(ember, service, **ended[1])
    assert got == 200 or told == "AccessDeniedException"
    if service == "s3":
        got, headers, answer = plain(ember, "GET", presigned(ember, "s3", expires=604800, **ended[0]))
        assert (got, code_of("s3", headers, answer)) == (400, "ExpiredToken")
        assert plain(ember, "GET", presigned(ember, "s3", expires=604800, **ended[1]))[0] == 200


@pytest.mark.parametrize("token, status, code", [(None, 403, "InvalidAccessKeyId"), ("another", 400, "InvalidToken")])
def test_a_session_must_show_its_token_to_s3(ember, session, token, status, code):
    assert send(ember, "s3", key_id=session["aws_access_key_id"], secret=session["aws_secret_access_key"], token=token)[:2] == (status, code)


def test_a_removed_key_is_out_at_once(ember):
    """Also after its signing key was kept."""
    key = dict(key_id="ASIAGONEGONEGONEGONE", secret="g" * 40, token=TOKEN)
    with sqlite3.connect(ember.data_dir / "ember.db", timeout=120) as db:
        db.execute("INSERT INTO access_key(access_key_id, secret, session_token, principal_arn, user_id, created_at) VALUES(?,?,?,?,?,0)",
                   (key["key_id"], key["secret"], TOKEN, "arn:aws:sts::111122223333:assumed-role/job/gone", "AROA:gone"))
    assert [send(ember, "s3", **key)[0] for _ in range(2)] == [200, 200]
    with sqlite3.connect(ember.data_dir / "ember.db", timeout=120) as db:
        db.execute("UPDATE access_key SET secret = ? WHERE access_key_id = ?", ("h" * 40, key["key_id"]))
    assert send(ember, "s3", **key)[:2] == (403, "SignatureDoesNotMatch")
    assert send(ember, "s3", **{**key, "secret": "h" * 40})[0] == 200
    with sqlite3.connect(ember.data_dir / "ember.db", timeout=120) as db:
        db.execute("DELETE FROM access_key WHERE access_key_id = ?", (key["key_id"],))
    db.close()
    assert send(ember, "s3", **{**key, "secret": "h" * 40})[:2] == (403, "InvalidAccessKeyId")
