"""botocore against the real emberd over real sockets, plain and under TLS, where it signs and frames otherwise: keys, headers and
queries that are odd, URLs of both versions, sessions, every way to cover a body. All must be let in, and what was stored come back."""
import collections, http.client, io, pathlib, random, re, sqlite3, ssl, tempfile, time, urllib.parse

import botocore.awsrequest, botocore.config, botocore.exceptions, botocore.session
import pytest

import calls, streamed
from botocore_signed import native
from ember import Ember
from test_tls import make_certificate
from wire import code_of

BUCKET = "differential"
# What is said to those whose signature did not hold.
REFUSALS = {"SignatureDoesNotMatch", "InvalidSignatureException", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken",
            "MissingAuthenticationToken", "MissingAuthenticationTokenException", "IncompleteSignature", "IncompleteSignatureException",
            "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "RequestTimeTooSkewed", "XAmzContentSHA256Mismatch", "BadDigest",
            "IncompleteBody", "MalformedTrailerError", "ExpiredToken", "ExpiredTokenException"}
sent = collections.Counter()


class Live(Ember):
    def __init__(self, folder, tls):
        self.cert = None
        if tls:
            self.cert, key = make_certificate(pathlib.Path(folder))
            super().__init__(folder, "--tls-cert", str(self.cert), "--tls-key", str(key))
        else:
            super().__init__(folder)

    def prepare(self):
        with sqlite3.connect(self.data_dir / "ember.db", timeout=120) as db:
            db.execute("INSERT INTO access_key(access_key_id, secret, session_token, principal_arn, user_id, job_run_id, created_at) VALUES(?,?,?,?,?,?,?)",
                       (calls.SESSION_ID, calls.SESSION_SECRET, calls.TOKEN, "arn:aws:sts::111122223333:assumed-role/job/run", "AROATEST:run", None, 0))
        db.close()
        self.client("s3").create_bucket(Bucket=BUCKET)
        return self

    def client(self, service, session=False, sigv4=False, **config):
        keys = (calls.SESSION_ID, calls.SESSION_SECRET, calls.TOKEN) if session else (self.key_id, self.secret, None)
        if sigv4:
            config["signature_version"] = "s3v4" if service == "s3" else "v4"
        made = botocore.session.Session().create_client(
            service, region_name="us-east-1", endpoint_url=self.endpoint, aws_access_key_id=keys[0], aws_secret_access_key=keys[1], aws_session_token=keys[2],
            verify=str(self.cert) if self.cert else None,
            config=botocore.config.Config(retries={"total_max_attempts": 1}, inject_host_prefix=False, s3={"addressing_style": "path", **config.pop("s3", {})}, **config))
        made.meta.events.register("before-send", lambda **_: sent.update([self.endpoint]))
        return made

    def plain(self, method, url, body=None, headers=None):
        """Whoever has the URL."""
        at = urllib.parse.urlsplit(url)
        c = http.client.HTTPSConnection(at.netloc, timeout=120, context=ssl.create_default_context(cafile=self.cert)) if self.cert else \
            http.client.HTTPConnection(at.netloc, timeout=120)
        sent.update([self.endpoint])
        try:
            c.request(method, at.path + ("?" + at.query if at.query else ""), body, headers or {})
            answer = c.getresponse()
            data = answer.read()
            return answer.status, code_of(answer.status, {k.lower(): v for k, v in answer.getheaders()}, data), data
        finally:
            c.close()


@pytest.fixture(scope="module", params=["http", "https"])
def live(request):
    with tempfile.TemporaryDirectory(prefix="ember-diff-") as folder:
        daemon = Live(folder, request.param == "https").start()
        try:
            yield daemon.prepare()
        finally:
            if daemon.process:
                daemon.stop()
            daemon.check_nothing_left()
        assert sent[daemon.endpoint] >= 400, sent




@pytest.mark.parametrize("session", [False, True], ids=["root", "session"])
def test_odd_keys_come_back(live, session):
    s3, wrong = live.client("s3", session=session), []
    for i, key in enumerate(calls.KEYS):
        body = b"%d" % i
        try:
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
            if s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() != body:
                wrong.append((key, "another body"))
        except botocore.exceptions.ClientError as e:
            wrong.append((key[:60], str(e)))
    assert not wrong
    listed = {c["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 25}) for c in page["Contents"]}
    assert listed == set(calls.KEYS)
    for key in listed:
        s3.delete_object(Bucket=BUCKET, Key=key)


def test_odd_metadata_comes_back(live):
    s3 = live.client("s3")
    values = [v for v in calls.HEADER_TEXTS if v.isascii()]
    for i, value in enumerate(values):
        s3.put_object(Bucket=BUCKET, Key="metadata", Body=b"", Metadata={"a": value, "n%d" % i: "  outer\t "}, CacheControl=value or "x")
        got = s3.head_object(Bucket=BUCKET, Key="metadata")
        assert got["Metadata"] == {"a": value.strip(), "n%d" % i: "outer"} and got["CacheControl"] == (value or "x"), value


def test_odd_queries(live):
    s3, emr = live.client("s3"), live.client("emr-containers")
    for text in calls.TEXTS:
        s3.list_objects_v2(Bucket=BUCKET, Prefix=text, Delimiter=text, StartAfter=text)
        s3.list_objects(Bucket=BUCKET, Prefix=text, Marker=text)
        emr.list_virtual_clusters(containerProviderId=text, states=["RUNNING", "TERMINATED", "RUNNING"], createdAfter=1700000000)


@pytest.mark.parametrize("sigv4", [False, True], ids=["v2", "v4"])
def test_urls(live, sigv4):
    s3 = live.client("s3", sigv4=sigv4)
    for key in calls.KEYS[:70]:
        url = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": key, "ContentType": "text/plain"}, ExpiresIn=60)
        assert ("X-Amz-Signature=" in url) == sigv4 and ("AWSAccessKeyId=" in url) != sigv4
        assert live.plain("PUT", url, key.encode(), {"Content-Type": "text/plain"})[0] == 200, key
        url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key, "ResponseContentType": "a b+c&d", "ResponseContentDisposition": 'x="ž"'})
        assert live.plain("GET", url)[::2] == (200, key.encode()), key
        assert live.plain("GET", url.replace("a%20b", "a%20c"))[:2] == (403, "SignatureDoesNotMatch")
        assert live.plain("PUT", url, b"x")[:2] == (403, "SignatureDoesNotMatch")
        assert live.plain("DELETE", s3.generate_presigned_url("delete_object", Params={"Bucket": BUCKET, "Key": key}))[0] == 204


def test_a_token_of_eks_is_a_url_of_sts(live):
    url = live.client("sts", sigv4=True).generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    status, _, body = live.plain("GET", url)
    assert status == 200 and b"<Account>111122223333</Account>" in body




@pytest.mark.parametrize("session", [False, True], ids=["root", "session"])
@pytest.mark.parametrize("config", [{}, {"request_checksum_calculation": "when_required"}, {"s3": {"payload_signing_enabled": False}},
                                    {"s3": {"payload_signing_enabled": True}}, {"request_checksum_calculation": "when_required", "s3": {"payload_signing_enabled": False}}],
                         ids=["default", "no-checksum", "unsigned", "signed", "nothing"])
def test_every_way_to_cover_a_body(live, seed, session, config):
    s3, rng, seen = live.client("s3", session=session, **config), random.Random(seed), set()
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: seen.add(re.sub(r"^b?'?[0-9a-f]{64}'?$", "hash", str(request.headers["X-Amz-Content-SHA256"]))))
    for size in (0, 1, 8191, 65536, 300000, (1 << 20) + 1):
        data = rng.randbytes(size)
        for extra in ({}, {"ChecksumAlgorithm": rng.choice(["CRC32", "SHA1", "SHA256"])}):
            for body in (data, io.BytesIO(data)):
                s3.put_object(Bucket=BUCKET, Key="covered", Body=body, **extra)
                assert s3.get_object(Bucket=BUCKET, Key="covered", ChecksumMode="ENABLED")["Body"].read() == data
    print(seen)


def test_signed_chunks(live, seed, monkeypatch):
    monkeypatch.setattr(calls, "KEY_ID", live.key_id)
    monkeypatch.setattr(calls, "SECRET", live.secret)
    rng, host = random.Random(seed), urllib.parse.urlsplit(live.endpoint).netloc
    for i in range(30):
        request = streamed.sign(rng, path="/%s/chunks" % BUCKET, host=host)
        body = request.body
        headers = {k: v for k, v in request.headers if k != "Transfer-Encoding"}
        if request.chunked:
            headers["Content-Length"] = str(len(body))
        status, code, answer = live.plain("PUT", live.endpoint + request.path, body, headers)
        assert status == 200, (code, answer)
        at = rng.randrange(len(body) - 4)
        status, code, answer = live.plain("PUT", live.endpoint + request.path, body[:at] + bytes([body[at] ^ 1]) + body[at + 1:], headers)
        assert status in (400, 403) and code in REFUSALS | {"InvalidRequest"}, (at, code, body[at - 20:at + 20])


def test_random_calls_are_let_in(live, seed):
    made, refused, answers = {}, [], collections.Counter()
    for call in calls.Calls(seed).many(250):
        session = bool(call["mode"]["token"])
        key = (call["service"], session)
        if key not in made:
            made[key] = live.client(call["service"], session=session)
        method = next(k for k, v in made[key].meta.method_to_api_mapping.items() if v == call["operation"])
        params = native(call["params"])
        if call["operation"] == "StartJobRun": # without a role of the account it is denied by the service itself
            params["executionRoleArn"] = "arn:aws:iam::%s:role/job" % calls.ACCOUNT
        try:
            getattr(made[key], method)(**params)
            answers["ok"] += 1
        except botocore.exceptions.ClientError as e:
            answers[e.response["Error"]["Code"]] += 1
            status = e.response["ResponseMetadata"]["HTTPStatusCode"]
            if e.response["Error"]["Code"] in REFUSALS or status >= 500 and status != 501 or status == 403 and not session:
                refused.append((call["operation"], str(e), call["params"]))
        except (botocore.exceptions.BotoCoreError, ValueError, UnicodeError):
            answers["not sent"] += 1 # its own rules
    print(dict(answers))
    assert not refused, "EMBER_SEED=%d\n%s" % (seed, "\n".join(map(str, refused[:10])))
