"""Who may come in: wrong keys, wrong secrets and wrong clocks in each protocol's words, and what a job run's session may do."""
import datetime, hashlib, json, re, sqlite3

import boto3
import pytest
from botocore.exceptions import ClientError

from signing import plain, signed

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
    ("early", {"now": datetime.datetime.now(datetime.timezone.utc) + HOUR}, {
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
    ("sts", 403, "MissingAuthenticationToken"), ("logs", 400, "MissingAuthenticationTokenException"), ("s3", 403, "AccessDenied")])
def test_no_signature(ember, service, status, code):
    method, path, headers, body = REQUESTS[service]
    got, answer_headers, answer = plain(ember, method, path, headers, body)
    assert (got, code_of(service, answer_headers, answer)) == (status, code)


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
    with sqlite3.connect(ember.data_dir / "ember.db", timeout=10) as db:
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
