"""Logs of real pods, asked by kubectl and by plain requests."""
import os, re, subprocess, threading

import pytest

from conftest import KUBECTL, wait_for

LOG = "/api/v1/namespaces/default/pods/%s/log"


@pytest.fixture(scope="module")
def done(cluster):
    """A pod that has ended: two streams, more than a second between its halves."""
    cluster.run_with_pauses("done", "echo one; pause; echo two >&2; pause; sleep 1.2; echo three; printf four")
    for line in ("one", "two"): # the streams are two pipes, read as they come
        wait_for(lambda: line in cluster.call("GET", LOG % "done").get("text", ""), "line " + line)
        cluster.go_on("done")
    cluster.wait_phase("done", "Succeeded")
    return "done"


def test_the_whole_log_has_both_streams_in_order(cluster, done):
    assert cluster.kubectl("logs", done).stdout == "one\ntwo\nthree\nfour"


@pytest.mark.parametrize("options,expected", [
    (["--tail=1"], "four"), (["--tail=2"], "three\nfour"), (["--tail=0"], ""), (["--tail=99"], "one\ntwo\nthree\nfour"),
    (["--limit-bytes=5"], "one\nt"), (["-c", "c"], "one\ntwo\nthree\nfour"), (["--since=1h"], "one\ntwo\nthree\nfour"),
    (["--since-time=2020-01-01T00:00:00Z"], "one\ntwo\nthree\nfour"), (["--since-time=2099-01-01T00:00:00Z"], ""), (["-f"], "one\ntwo\nthree\nfour"),
    (["-f", "--tail=1"], "four"), (["--prefix"], "[pod/done/c] one\n[pod/done/c] two\n[pod/done/c] three\n[pod/done/c] four")])
def test_options_of_kubectl_logs(cluster, done, options, expected):
    assert cluster.kubectl("logs", done, *options).stdout == expected


def test_time_stamps_are_those_of_the_lines(cluster, done):
    lines = cluster.kubectl("logs", done, "--timestamps").stdout.split("\n")
    assert [line.split(" ", 1)[1] for line in lines] == ["one", "two", "three", "four"]
    stamps = [line.split(" ", 1)[0] for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z", s) for s in stamps) and stamps == sorted(stamps)
    # from the second of the third line on
    assert cluster.kubectl("logs", done, "--since-time=" + stamps[2][:19] + "Z").stdout == "three\nfour"


def test_since_leaves_out_what_is_older(cluster):
    cluster.run("since", "echo old; sleep 4; while :; do echo new; sleep 0.1; done") # always a line of the last moments, however slow kubectl is
    wait_for(lambda: "new" in cluster.call("GET", LOG % "since").get("text", ""), "the second line")
    assert set(cluster.kubectl("logs", "since", "--since=3s").stdout.splitlines()) == {"new"}
    cluster.call("DELETE", "/api/v1/namespaces/default/pods/since")


@pytest.mark.parametrize("stream,expected", [("Stdout", "one\nthree\nfour"), ("Stderr", "two\n"), ("All", "one\ntwo\nthree\nfour"), (None, "one\ntwo\nthree\nfour")])
def test_one_stream_alone(cluster, done, stream, expected):
    answer = cluster.call("GET", LOG % done, query={"stream": stream} if stream else None)
    assert (answer["status"], answer.get("text")) == (200, expected)


def test_a_stream_that_is_none_is_refused(cluster, done):
    answer = cluster.call("GET", LOG % done, query={"stream": "Both"})
    assert answer["status"] == 422 and "stream" in answer["body"]["message"]


@pytest.mark.parametrize("args,message", [ # as recorded of Kubernetes
    (["logs", "done", "-c", "zz"], "error: container zz is not valid for pod done"),
    (["logs", "done", "--previous"], 'Error from server (BadRequest): previous terminated container "c" in pod "done" not found'),
    (["logs", "nope"], 'error: error from server (NotFound): pods "nope" not found in namespace "default"')])
def test_errors_read_as_recorded(cluster, done, args, message):
    asked = cluster.kubectl(*args, ok=False)
    assert (asked.returncode, asked.stderr.strip()) == (1, message)


def test_a_pod_that_waits_says_so(cluster):
    cluster.run("waits", "true", nodeSelector={"no": "where"})
    asked = cluster.call("GET", LOG % "waits")
    assert (asked["status"], asked.get("text")) == (204, None) # as recorded of a pod without a node
    cluster.call("DELETE", "/api/v1/namespaces/default/pods/waits")


def follow(cluster, name):
    return subprocess.Popen([KUBECTL, "--kubeconfig", cluster.kubeconfig, "--cache-dir", os.path.join(cluster.directory, "cache"), "logs", "-f", name],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_follow_shows_lines_as_they_come_and_ends_with_the_pod(cluster):
    cluster.run_with_pauses("live", "for i in 1 2 3; do echo line $i; pause; done; printf end")
    cluster.wait_phase("live", "Running")
    process = follow(cluster, "live")
    for i in (1, 2, 3):
        assert process.stdout.readline() == "line %d\n" % i # the next one is not written yet
        cluster.go_on("live")
    assert process.communicate(timeout=120) == ("end", "") and process.returncode == 0
    assert cluster.wait_phase("live", "Succeeded")


def test_follow_of_a_pod_that_is_deleted_ends(cluster):
    cluster.run("gone", "echo here; sleep 600")
    cluster.wait_phase("gone", "Running")
    process = follow(cluster, "gone")
    assert process.stdout.readline() == "here\n"
    cluster.call("DELETE", "/api/v1/namespaces/default/pods/gone", body={"gracePeriodSeconds": 0})
    process.communicate(timeout=120)
    assert process.returncode == 0


def test_twenty_followers_hold_no_worker(cluster):
    cluster.run_with_pauses("popular", "echo first; pause; echo last")
    cluster.wait_phase("popular", "Running")
    texts, threads, connections = [], [], []
    for _ in range(20):
        connection = cluster.server.open(timeout=180)
        connection.request("GET", LOG % "popular" + "?follow=true")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.readline() == b"first\n"
        connections.append(connection)
        threads.append(threading.Thread(target=lambda a=answer: texts.append(a.read())))
        threads[-1].start()
    for _ in range(50): # the followers stay until these are answered
        assert cluster.call("GET", "/api/v1/namespaces/default/pods/popular")["status"] == 200
    assert cluster.phase("popular") == "Running"
    cluster.go_on("popular")
    for thread in threads:
        thread.join(120)
    assert texts == [b"last\n"] * 20
    for connection in connections:
        connection.close()
