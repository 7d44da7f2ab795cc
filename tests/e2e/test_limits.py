"""At the edge: bodies and heads that are too big, many idle connections, and SIGTERM while requests are under way."""
import concurrent.futures, contextlib, datetime, http.client, json, os, socket, tempfile, threading, time, urllib.parse

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from ember import Ember, wait_for
from signing import plain, signed

MAX_BODY = 4 << 20


def connect(ember):
    at = urllib.parse.urlsplit(ember.endpoint)
    return socket.create_connection((at.hostname, at.port), timeout=120)


@pytest.mark.parametrize("service, method, path, headers", [
    ("emr-containers", "POST", "/virtualclusters", {"Content-Type": "application/json"}),
    ("logs", "POST", "/", {"X-Amz-Target": "Logs_20140328.PutLogEvents", "Content-Type": "application/x-amz-json-1.1"}),
    ("sts", "POST", "/", {"Content-Type": "application/x-www-form-urlencoded"}),
    ("eks", "POST", "/clusters", {"Content-Type": "application/json"}),
])
def test_a_body_past_4_mib_is_refused(ember, service, method, path, headers):
    status, head, body = signed(ember, method, path, service, body=b"x" * (MAX_BODY + 1), headers=headers)
    assert status == 413 and b"RequestEntityTooLargeException" in body
    assert ember.client("sts").get_caller_identity()["Account"]


def test_a_body_of_just_4_mib_is_read(ember):
    body = b'{"logGroupName": "' + b"x" * (MAX_BODY - 20) + b'"}'
    assert len(body) == MAX_BODY
    status, head, answer = signed(ember, "POST", "/", "logs", body=body, headers={"X-Amz-Target": "Logs_20140328.CreateLogGroup",
                                                                              "Content-Type": "application/x-amz-json-1.1"})
    assert status == 400 and b"InvalidParameterException" in answer


def first_line(ember, path, headers, length):
    """The first line that who sends a head and waits is told."""
    head = "".join("%s: %s\r\n" % pair for pair in {**headers, "Content-Length": length, "Expect": "100-continue"}.items())
    with connect(ember) as s, s.makefile("rb") as answer:
        s.settimeout(120)
        s.sendall(("POST %s HTTP/1.1\r\n%s\r\n" % (path, head)).encode())
        return answer.readline().decode().strip()


LARGE = (64 << 10) + 1


@pytest.mark.parametrize("service, path, headers, refusal", [
    ("logs", "/", {"X-Amz-Target": "Logs_20140328.PutLogEvents"}, "HTTP/1.1 400 Bad Request"),
    ("emr-containers", "/virtualclusters", {}, "HTTP/1.1 403 Forbidden"),
    ("sts", "/", {"Content-Type": "application/x-www-form-urlencoded"}, "HTTP/1.1 403 Forbidden"),
])
@pytest.mark.parametrize("who", ["nobody", "an unknown key", "of last year"])
def test_no_large_body_is_taken_from_a_stranger(ember, service, path, headers, refusal, who):
    kept = {}
    year_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=365)
    signed(ember, "POST", path, service, headers=headers, key_id="AKIAUNKNOWN" if who == "an unknown key" else None,
           now=year_ago if who == "of last year" else None, spoil=kept.update)
    if who == "nobody":
        kept = {"host": service + ".us-east-1.amazonaws.com", **headers}
    assert first_line(ember, path, kept, LARGE) == refusal
    assert first_line(ember, path, kept, 100) == "HTTP/1.1 100 Continue" # so much is


def test_a_large_body_is_taken_from_who_may_be_known(ember):
    kept = {}
    signed(ember, "POST", "/", "logs", body=b"x" * LARGE, headers={"X-Amz-Target": "Logs_20140328.PutLogEvents"}, spoil=kept.update)
    assert first_line(ember, "/", kept, LARGE) == "HTTP/1.1 100 Continue"


def test_large_bodies_take_so_much_memory_and_no_more(ember):
    kept = {}
    signed(ember, "POST", "/", "logs", body=b"x" * LARGE, headers={"X-Amz-Target": "Logs_20140328.PutLogEvents"}, spoil=kept.update)
    head = "".join("%s: %s\r\n" % pair for pair in {**kept, "Content-Length": MAX_BODY, "Expect": "100-continue"}.items())

    def ask():
        s = waiting.enter_context(connect(ember))
        s.settimeout(120)
        s.sendall(("POST / HTTP/1.1\r\n%s\r\n" % head).encode())
        return s.recv(1 << 16)

    with contextlib.ExitStack() as waiting: # none of them sends its body
        for _ in range(300):
            answer = ask()
            if answer != b"HTTP/1.1 100 Continue\r\n\r\n":
                break
        assert answer.startswith(b"HTTP/1.1 400 ") and b'"ThrottlingException"' in answer, answer
        assert ember.client("logs").describe_log_groups()["ResponseMetadata"]["HTTPStatusCode"] == 200 # small ones go on
    wait_for(lambda: first_line(ember, "/", kept, MAX_BODY) == "HTTP/1.1 100 Continue", "the bodies that never came to be given up", 180)


def test_1000_keys_are_deleted_at_once_and_1001_refused(ember):
    s3 = ember.client("s3")
    s3.create_bucket(Bucket="thousand")
    for i in range(10):
        s3.put_object(Bucket="thousand", Key="%04d" % (i * 100), Body=b"")
    keys = [{"Key": "%04d" % i} for i in range(1000)]
    answer = s3.delete_objects(Bucket="thousand", Delete={"Objects": keys})
    assert len(answer["Deleted"]) == 1000 and "Errors" not in answer
    assert "Contents" not in s3.list_objects_v2(Bucket="thousand")
    with pytest.raises(ClientError) as e:
        s3.delete_objects(Bucket="thousand", Delete={"Objects": keys + [{"Key": "more"}]})
    assert e.value.response["Error"]["Code"] == "MalformedXML"


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\nHost: x\r\nX-Big: " + b"x" * (300 << 10) + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n",
    b"GET /" + b"x" * (300 << 10) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
], ids=["one header", "many headers", "target"])
def test_a_huge_head_is_refused(ember, head):
    with connect(ember) as s:
        try:
            s.sendall(head)
            answer = s.recv(1000)
        except ConnectionError: # it said so, closed, and the rest of ours came too late to be read
            answer = b"HTTP/1.1 431 "
        assert answer[:13] in (b"HTTP/1.1 431 ", b"HTTP/1.1 414 ", b"HTTP/1.1 400 "), answer
    assert plain(ember, "GET", "/healthz")[0] == 200


def test_200_idle_connections_take_nobodys_place(ember):
    idle = [connect(ember) for _ in range(200)]
    try:
        for s in idle[:100]:
            s.sendall(b"GET /heal") # half of a head
        began = time.monotonic()
        sts = ember.client("sts")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda _: sts.get_caller_identity()["Account"] == "111122223333", range(100)))
        assert time.monotonic() - began < 10
        for s in idle[:100]:
            s.sendall(b"thz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert all(s.recv(13) == b"HTTP/1.1 200 " for s in idle[:100])
    finally:
        for s in idle:
            s.close()


@pytest.fixture
def own():
    """An emberd to be ended."""
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        daemon = Ember(folder).start()
        try:
            yield daemon
        finally:
            if daemon.process:
                daemon.process.kill()
                daemon.process.wait()


def test_sigterm_during_an_upload(own):
    """It is given its time, or cut off; never half an object, no error line, exit code 0 within seconds."""
    s3 = own.client("s3")
    s3.create_bucket(Bucket="cut")
    data, told = os.urandom(20 << 20), []

    class Slow:
        def __init__(self):
            self.at = 0

        def __len__(self):
            return len(data)

        def tell(self):
            return self.at

        def seek(self, at, whence=0):
            self.at = at if whence == 0 else self.at + at if whence == 1 else len(data) + at

        def read(self, n=-1):
            if started.is_set():
                time.sleep(0.002)
            piece = data[self.at:self.at + (n if n >= 0 else len(data))]
            self.at += len(piece)
            return piece

    started = threading.Event()
    s3.meta.events.register("before-send.s3.PutObject", lambda **_: started.set())

    def put():
        try:
            s3.put_object(Bucket="cut", Key="k", Body=Slow())
            told.append(True)
        except (ClientError, BotoCoreError):
            told.append(False)

    thread = threading.Thread(target=put)
    thread.start()
    assert started.wait(180)
    time.sleep(0.3)
    began = time.monotonic()
    own.stop()
    assert time.monotonic() - began < 40
    thread.join(180)
    own.start()
    listed = own.client("s3").list_objects_v2(Bucket="cut").get("Contents", [])
    if told[0]:
        assert own.client("s3").get_object(Bucket="cut", Key="k")["Body"].read() == data
    else:
        assert not listed or own.client("s3").get_object(Bucket="cut", Key="k")["Body"].read() == data
    assert not list((own.data_dir / "objects" / "tmp").iterdir())
    own.stop()
    own.check_nothing_left()


def test_sigterm_during_many_requests(own):
    """Whoever gets an answer gets the right one."""
    own.namespace("many")
    emr = own.client("emr-containers")
    cluster = emr.create_virtual_cluster(name="many", containerProvider={"type": "EKS", "id": "local", "info": {"eksInfo": {"namespace": "many"}}})["id"]
    run = emr.start_job_run(virtualClusterId=cluster, executionRoleArn="arn:aws:iam::111122223333:role/job", releaseLabel="emr-6.2.0-latest",
                            jobDriver={"sparkSubmitJobDriver": {"entryPoint": "local:///pi.py"}},
                            configurationOverrides={"applicationConfiguration": [{"classification": "no-such-thing"}]})["id"]
    wait_for(lambda: emr.describe_job_run(virtualClusterId=cluster, id=run)["jobRun"]["state"] == "FAILED", "the run to fail")
    counts, wrong, over = {"right": 0, "busy": 0, "gone": 0}, [], threading.Event()

    def ask():
        while not over.is_set():
            try:
                status, head, body = signed(own, "GET", "/virtualclusters/%s/jobruns/%s" % (cluster, run), "emr-containers")
            except (OSError, http.client.HTTPException):
                counts["gone"] += 1
                if own.process is None:
                    return
                continue
            if status == 200 and json.loads(body)["jobRun"]["id"] == run:
                counts["right"] += 1
            elif status == 503:
                counts["busy"] += 1
            else:
                wrong.append((status, body[:200]))

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        asking = [pool.submit(ask) for _ in range(50)]
        wait_for(lambda: counts["right"] > 100, "requests to be under way")
        began = time.monotonic()
        own.stop()
        took = time.monotonic() - began
        over.set()
        for one in asking:
            one.result(180)
    assert not wrong, wrong[:5]
    assert took < 40
    own.check_nothing_left()
