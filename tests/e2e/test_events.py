"""Events of job runs: read by cursor, followed, and delivered to a webhook whatever happens to the receiver and to emberd."""
import http.server, json, re, ssl, signal, subprocess, threading, time, urllib.error, urllib.request

import pytest

from ember import EMBER, ROOT, running, wait_for
from jobs import JobEmber
from signing import signed

SECRET = "a secret of the tests, long enough"
LIFE = ["PENDING", "SUBMITTED", "RUNNING", "COMPLETED"]


def documented_verify():
    """verify() as docs/events.md has it."""
    found = {}
    exec(re.search(r"```python\n(.*?)```", (ROOT / "docs/events.md").read_text(), re.S).group(1), found) # pylint: disable=exec-used
    return found["verify"]


verify = documented_verify()


class Receiver:
    """Takes events; answer(n) says what the n-th request gets (a status, or None: nothing, as from one that hangs)."""

    def __init__(self, port=0, answer=lambda n: 200, certificate=None):
        receiver = self
        self.events, self.attempts, self.bad, self.requests = [], [], 0, 0
        self.release = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests += 1
                if not verify(SECRET, self.headers, body):
                    receiver.bad += 1
                status = answer(receiver.requests)
                if status is None:
                    receiver.release.wait(60)
                    self.close_connection = True
                    return
                event = json.loads(body)
                assert event["id"] == self.headers["X-Ember-Event-Id"]
                if status // 100 == 2:
                    receiver.events.append(event)
                    receiver.attempts.append(int(self.headers["X-Ember-Attempt"]))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = "%s://localhost:%d/events" % ("https" if certificate else "http", self.port)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def states(self, run):
        return [e["detail"]["state"] for e in self.once() if e["detail"]["id"] == run]

    def once(self):
        """The first of each id, in order."""
        return list({e["id"]: e for e in reversed(self.events)}.values())[::-1]


def read(ember, **query):
    """GET /ember/events, signed; status and parsed answer."""
    text = "&".join("%s=%s" % item for item in sorted(query.items()))
    status, _, body = signed(ember, "GET", "/ember/events", "emr-containers", query=text)
    return status, json.loads(body)


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def configure(ember, receiver, ca=None):
    secret = ember.folder / "webhook-secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    path = ember.data_dir / "ember.conf"
    path.write_text("webhook-url = %s\nwebhook-secret-file = %s\n" % (receiver.url, secret) + ("webhook-ca-file = %s\n" % ca if ca else "") if receiver else "")
    before = ember.log_path.read_text().count("CONFIG_RELOADED")
    ember.process.send_signal(signal.SIGHUP)
    wait_for(lambda: ember.log_path.read_text().count("CONFIG_RELOADED") > before, "the reload")


@pytest.fixture(scope="module")
def ember(folder):
    with running(JobEmber(folder)) as daemon:
        yield daemon.prepare()


@pytest.fixture
def receiver_of(ember):
    """Makes receivers that are told of events; none is when the test has ended."""
    made = []

    def make(set_up=True, **options):
        made.append(Receiver(**options))
        if set_up:
            configure(ember, made[-1])
        return made[-1]
    yield make
    if not ember.process:
        ember.start()
    configure(ember, None)
    for one in made:
        one.close()
        assert not one.bad


def test_every_change_is_told_in_order(ember):
    run = ember.submit("out=hello")
    ember.wait_state(run, "COMPLETED")
    status, page = read(ember, limit=1000)
    assert status == 200
    events = [item["event"] for item in page["events"] if item["event"]["detail"]["id"] == run]
    assert [e["detail"]["state"] for e in events] == LIFE
    described = ember.describe(run)
    for e in events:
        assert (e["version"], e["detail-type"], e["source"], e["account"], e["region"]) == (
            "0", "EMR Job Run State Change", "aws.emr-containers", "111122223333", "us-east-1")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", e["time"])
        assert e["detail"]["arn"] == described["arn"] and e["detail"]["createdBy"] == described["createdBy"]
        assert e["detail"]["releaseLabel"] == "emr-6.2.0-latest" and e["detail"]["name"] == "test"
    assert events[-1]["detail"]["stateDetails"] == described["stateDetails"]
    assert [i["cursor"] for i in page["events"]] == sorted(i["cursor"] for i in page["events"])
    assert page["cursor"] == page["events"][-1]["cursor"]


def test_a_failed_run_has_its_reason(ember):
    run = ember.submit("err=ValueError: no", "exit=3")
    ember.wait_state(run, "FAILED")
    last = [i["event"]["detail"] for i in read(ember, limit=1000)[1]["events"] if i["event"]["detail"]["id"] == run][-1]
    described = ember.describe(run)
    assert (last["state"], last["severity"]) == ("FAILED", "ERROR")
    assert (last["failureReason"], last["stateDetails"]) == (described["failureReason"], described["stateDetails"])


def test_pages_of_one_join_to_the_whole_also_after_a_restart(ember):
    whole = read(ember, limit=1000)[1]["events"]
    assert len(whole) > 4
    cursor, found = None, []
    while True:
        page = read(ember, limit=1, **({"after": cursor} if cursor else {}))[1]
        if not page["events"]:
            break
        found += page["events"]
        cursor = page["cursor"]
        if len(found) == 3:
            ember.stop()
            ember.start()
    assert found == whole


def test_a_wait_ends_with_the_event(ember):
    cursor = read(ember, after="now")[1]["cursor"]
    got = {}
    waiting = threading.Thread(target=lambda: got.update(read(ember, after=cursor, wait=20)[1]))
    waiting.start()
    run = ember.submit("out=x")
    waiting.join()
    assert got["events"][0]["event"]["detail"]["id"] == run
    ember.wait_state(run, "COMPLETED")


def test_a_new_attempt_is_told_with_its_driver(ember):
    run = ember.submit("until=2", retryPolicyConfiguration={"maxAttempts": 2})
    ember.wait_state(run, "COMPLETED")
    events = [i["event"] for i in read(ember, limit=1000)[1]["events"] if i["event"]["detail"]["id"] == run]
    attempts = [e["detail"] for e in events if e["detail-type"] == "EMR Job Run New Driver Attempt"]
    assert [e["detail"]["state"] for e in events if e["detail-type"] == "EMR Job Run State Change"] == LIFE
    assert [a["currentAttemptCount"] for a in attempts] == [2]
    assert "ValueError: attempt 1" in attempts[0]["previousDriverFailureMessage"] and attempts[0]["newDriverCreatedAt"]
    assert ember.s3_log(run, pod=attempts[0]["newDriverPodName"]) is not None


def test_those_who_wait_are_bounded_and_let_go_when_emberd_stops(ember):
    cursor, answers = read(ember, after="now")[1]["cursor"], []
    ask = lambda: answers.append(read(ember, after=cursor, wait=20))
    clients = [threading.Thread(target=ask) for _ in range(17)]
    for client in clients:
        client.start()
    wait_for(lambda: answers, "one that finds no place")
    assert answers[0][0] == 429
    ember.stop() # who is not let go is cut off, and has no answer
    for client in clients:
        client.join()
    ember.start()
    assert all(status == 200 and answer["cursor"] == cursor and not answer["events"] for status, answer in answers[1:]) and len(answers) == 17


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": "0" * 24}, {"limit": 0}, {"limit": 1001}, {"wait": 21}, {"limit": "a"}, {"afer": "now"}])
def test_wrong_questions_are_refused(ember, query):
    status, answer = read(ember, **query)
    assert status == 400 and answer["message"]


def test_who_shows_no_signature_or_a_wrong_one_sees_nothing(ember):
    assert get(ember.endpoint + "/ember/events")[0] in (403, 404)
    key, ember.secret = ember.secret, "wrong"
    try:
        assert read(ember)[0] == 403
    finally:
        ember.secret = key


def test_the_command_line_prints_and_goes_on_behind_a_cursor(ember):
    lines = [json.loads(line) for line in ember.ember("events", "--output", "json").stdout.splitlines()]
    assert lines == read(ember, limit=1000)[1]["events"]
    rest = ember.ember("events", "--after", lines[1]["cursor"]).stdout.decode().splitlines()
    assert [line.split("\t")[-1] for line in rest] == [item["cursor"] for item in lines[2:]]
    assert ember.ember("events", "--after", "nonsense", ok=False).returncode == 1


def test_following_ends_on_interrupt(ember):
    follower = subprocess.Popen([str(EMBER), "events", "--follow", "--after", "now"], env=ember.env, stdout=subprocess.PIPE)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(follower.stdout))
    reader.start()
    try:
        runs = [ember.submit("out=x")]
        wait_for(lambda: lines or runs.append(ember.submit("out=x")) or time.sleep(0.5), "the first line") # "now" is when it has asked
        ember.wait_state(runs[-1], "COMPLETED")
        wait_for(lambda: any(runs[-1].encode() in line and b"COMPLETED" in line for line in list(lines)), "the last line")
        ember.kill()
        ember.start()
        run = ember.submit("out=x")
        wait_for(lambda: any(run.encode() in line and b"PENDING" in line for line in list(lines)), "a line after the restart")
        ember.wait_state(run, "COMPLETED")
    finally:
        follower.send_signal(signal.SIGINT)
        assert follower.wait(120) in (-signal.SIGINT, 130)
        reader.join()
        follower.stdout.close()


def test_a_webhook_gets_what_happens_from_then_on_in_order(ember, receiver_of):
    receiver = receiver_of()
    runs = [ember.submit("out=x") for _ in range(3)]
    for run in runs:
        ember.wait_state(run, "COMPLETED")
    wait_for(lambda: all(receiver.states(run) == LIFE for run in runs), "all events")
    assert {e["detail"]["id"] for e in receiver.events} == set(runs)
    assert len(receiver.once()) == len(receiver.events) and set(receiver.attempts) == {1}
    told = [i["event"] for i in read(ember, limit=1000)[1]["events"]]
    assert [e for e in told if e["detail"]["id"] in runs] == receiver.events # as the feed has them
    def all_counted(): # emberd hears the last answer a moment after it was given
        metrics = get(ember.endpoint + "/metrics")[1]
        return "ember_webhook_waiting_events 0\n" in metrics and re.search(r"ember_webhook_delivered_total 1\d\n", metrics)
    wait_for(all_counted, "all to be counted")


def test_a_receiver_that_was_down_gets_everything(ember, receiver_of):
    receiver = receiver_of()
    receiver.close()
    run = ember.submit("out=x")
    ember.wait_state(run, "COMPLETED") # nobody waits for it
    wait_for(lambda: "WEBHOOK_TROUBLE" in ember.log_path.read_text(), "the log to tell")
    back = receiver_of(port=receiver.port, set_up=False)
    wait_for(lambda: back.states(run) == LIFE, "all events")


def test_errors_are_tried_again_and_the_order_stays(ember, receiver_of):
    receiver = receiver_of(answer=lambda n: {1: 500, 2: 404, 4: 302}.get(n, 204))
    run = ember.submit("out=x")
    ember.wait_state(run, "COMPLETED")
    wait_for(lambda: len(receiver.events) >= 4, "all events")
    assert [e["detail"]["state"] for e in receiver.events] == LIFE
    assert receiver.attempts == [3, 2, 1, 1]


def test_a_receiver_that_hangs_delays_nobody_but_itself(ember, receiver_of):
    receiver = receiver_of(answer=lambda n: None if n == 1 else 200)
    began = time.monotonic()
    run = ember.submit("out=x")
    ember.wait_state(run, "COMPLETED")
    assert not receiver.events or time.monotonic() - began > 9
    wait_for(lambda: receiver.states(run) == LIFE, "all events")


def test_a_kill_during_delivery_loses_nothing_and_repeats_one_at_most(ember, receiver_of):
    never = threading.Event()
    receiver = receiver_of(answer=lambda n: never.wait(0.1) or 200) # slow, so that kills meet it
    runs = [ember.submit("out=x") for _ in range(3)]
    kills = 0
    for count in (2, 5, 8):
        wait_for(lambda: len(receiver.events) >= count, "%d events" % count)
        ember.kill()
        kills += 1
        ember.start()
    for run in runs:
        ember.wait_state(run, "COMPLETED")
    wait_for(lambda: all(receiver.states(run) == LIFE for run in runs), "all events")
    assert len(receiver.events) - len(receiver.once()) <= kills
    told = [i["event"] for i in read(ember, limit=1000)[1]["events"]]
    assert [e for e in told if e["detail"]["id"] in runs] == receiver.once()


def test_a_receiver_is_known_by_its_certificate(ember, receiver_of):
    pem, key = ember.folder / "receiver.pem", ember.folder / "receiver.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)
    both = ember.folder / "receiver-both.pem"
    both.write_text(key.read_text() + pem.read_text())
    receiver = receiver_of(certificate=str(both))
    troubles = ember.log_path.read_text().count("WEBHOOK_TROUBLE")
    run = ember.submit("out=x")
    ember.wait_state(run, "COMPLETED")
    wait_for(lambda: ember.log_path.read_text().count("WEBHOOK_TROUBLE") > troubles, "the certificate to be refused")
    assert not receiver.requests
    configure(ember, receiver, ca=pem)
    wait_for(lambda: receiver.states(run) == LIFE, "all events")


def test_a_configuration_that_cannot_work_is_refused(ember):
    short = ember.folder / "short"
    short.write_text("short")
    short.chmod(0o600)
    cases = [(["--webhook-url", "https://receiver.example.com/"], "go together"),
             (["--webhook-url", "http://receiver.example.com/", "--webhook-secret-file", str(short)], "not loopback"),
             (["--webhook-url", "https://me:word@receiver.example.com/", "--webhook-secret-file", str(short)], "without a user's name"),
             (["--webhook-url", "ftp://receiver.example.com/", "--webhook-secret-file", str(short)], "is not an address"),
             (["--webhook-url", "https://receiver.example.com/", "--webhook-secret-file", str(short)], "the secret in it has fewer than 16")]
    for options, words in cases:
        done = subprocess.run([str(EMBER.parent / "emberd"), "--check-config", "--data-dir", str(ember.folder / "none"), *options], capture_output=True, timeout=120)
        assert done.returncode == 1 and words in (done.stdout + done.stderr).decode(), (options, done)
