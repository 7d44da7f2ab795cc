"""SIGTERM and a new start while clients write without a pause: every write that was answered is there afterwards, every request that was sent
before the signal is answered, and connections end between two requests only."""
import contextlib, http.client, pathlib, signal, socket, sys, threading, time, urllib.parse

import pytest
from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from ember import Ember, running
from signing import signed

ROUNDS, WRITERS = 4, 6


@pytest.fixture
def ember(folder):
    with running(Ember(folder)) as daemon:
        yield daemon


class Writer(threading.Thread):
    """Puts objects with names of its own, one after the other, on a connection that is kept; notes those that were answered."""

    def __init__(self, ember, number, until):
        super().__init__()
        self.s3, self.number, self.until = ember.client("s3"), number, until
        self.answered, self.failures, self.count = [], [], 0

    def run(self):
        while not self.until.is_set():
            self.count += 1
            key = "w%d-%d" % (self.number, self.count)
            try:
                self.s3.put_object(Bucket="load", Key=key, Body=key.encode())
                self.answered.append(key)
            except ClientError as e:
                if e.response["ResponseMetadata"]["HTTPStatusCode"] != 503: # it is stopping, or not ready yet
                    self.failures.append(e)
            except BotoCoreError:
                time.sleep(0.01) # nobody listens just now


def test_no_answered_write_is_lost_when_it_is_stopped_and_started_under_load(ember):
    s3 = ember.client("s3")
    s3.create_bucket(Bucket="load")
    until = threading.Event()
    writers = [Writer(ember, n, until) for n in range(WRITERS)]
    for w in writers:
        w.start()
    try:
        for _ in range(ROUNDS):
            seen = sum(len(w.answered) for w in writers)
            deadline = time.monotonic() + 180
            while sum(len(w.answered) for w in writers) < seen + 50: # it is at full speed
                assert time.monotonic() < deadline
                time.sleep(0.01)
            ember.stop()
            ember.start()
    finally:
        until.set()
        for w in writers:
            w.join()
    assert not [f for w in writers for f in w.failures]
    stored = {o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="load") for o in page.get("Contents", [])}
    answered = [k for w in writers for k in w.answered]
    assert len(answered) >= ROUNDS * 50 and not set(answered) - stored
    for key in answered[::37]:
        assert s3.get_object(Bucket="load", Key=key)["Body"].read() == key.encode()


def dial(ember):
    at = urllib.parse.urlsplit(ember.endpoint)
    return socket.create_connection((at.hostname, at.port), timeout=120)


def answers_of(s):
    """What is heard until the end, answer by answer: (status, Connection)."""
    found = []
    with contextlib.suppress(http.client.HTTPException, ConnectionError):
        while True:
            answer = http.client.HTTPResponse(s)
            answer.begin()
            answer.read()
            found.append((answer.status, answer.getheader("Connection")))
    return found


def test_each_request_that_was_sent_before_the_signal_is_answered(ember):
    """On new connections, on kept ones, in pipelines, and when only half was there."""
    ask, half = b"GET /healthz HTTP/1.1\r\nHost: ember\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHo"
    new, kept, halves, idle = [dial(ember) for _ in range(40)], [dial(ember) for _ in range(40)], [dial(ember) for _ in range(10)], [dial(ember) for _ in range(40)]
    for s in kept + idle:
        s.sendall(ask)
        assert s.recv(4096)[:15] == b"HTTP/1.1 200 OK"
    for s in halves:
        s.sendall(half)
    for s in new:
        s.sendall(ask + ask)
    for s in kept:
        s.sendall(ask)
    ember.process.send_signal(signal.SIGTERM)
    for s in halves:
        s.sendall(b"st: ember\r\n\r\n")
    for s in new:
        assert len(answers_of(s)) >= 1
    for s in kept + halves:
        assert len(answers_of(s)) == 1
    for s in idle:
        assert answers_of(s) == []
    for s in new + kept + halves + idle:
        s.close()
    ember.stop()
    ember.start()
    assert signed(ember, "GET", "/", "s3")[0] == 200
