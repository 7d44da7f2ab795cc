"""Logs as no program should write them: they arrive whole, byte for byte in S3, and as CloudWatch Logs can take them there."""
import gzip, hashlib, json, os, subprocess

import pytest

from ember import running, wait_for
from jobs import BUCKET, GROUP, NAMESPACE, PREFIX, JobEmber

EVENT_MAX = 262144 - 26
LARGE = 200_000_000 if os.environ.get("EMBER_LONG") else 60_000_000


@pytest.fixture(scope="module")
def ember(folder):
    with running(JobEmber(folder)) as daemon:
        yield daemon.prepare()


def in_s3(ember, run, stream="stdout", pod=None):
    key = "%s/jobs/%s/containers/spark-%s/%s/%s.gz" % (ember.virtual_cluster, run, run, pod or "spark-%s-driver" % run, stream)
    return gzip.decompress(ember.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())


def events(ember, run, stream="stdout"):
    name = "%s/%s/jobs/%s/containers/spark-%s/spark-%s-driver/%s" % (PREFIX, ember.virtual_cluster, run, run, run, stream)
    logs, found, token = ember.client("logs"), [], None
    while True:
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=name, startFromHead=True, **({"nextToken": token} if token else {}))
        found += page["events"]
        if page["nextForwardToken"] == token:
            return found
        token = page["nextForwardToken"]


def finished(ember, *words, **more):
    run = ember.submit(*words, **more)
    ember.wait_state(run, "COMPLETED", timeout_s=900)
    return run


def test_lines_of_megabytes_one_of_them_without_an_end(ember):
    run = finished(ember, "sh=head -c 3000000 /dev/zero | tr '\\0' x; echo; echo between; head -c 1048576 /dev/zero | tr '\\0' y; echo; head -c 1500000 /dev/zero | tr '\\0' z")
    want = ["x" * 3000000, "between", "y" * 1048576, "z" * 1500000]
    assert in_s3(ember, run).decode() == "\n".join(want)
    found = events(ember, run)
    assert "".join(e["message"] for e in found) == "".join(want)
    assert all(len(e["message"].encode()) <= EVENT_MAX for e in found)
    assert [e["message"] for e in found].count("between") == 1


def test_bytes_that_are_no_text(ember):
    run = finished(ember, r"sh=printf 'a\377\376b\n\000\000nul\000\n\303\244 \303\n\n\r\n\tend \r\n\342\202'")
    assert in_s3(ember, run) == b"a\xff\xfeb\n\0\0nul\0\n\xc3\xa4 \xc3\n\n\r\n\tend \r\n\xe2\x82"
    got = [e["message"] for e in events(ember, run)]
    assert got == ["a\ufffd\ufffdb", "\0\0nul\0", "ä \ufffd", " ", "\r", "\tend \r", "\ufffd\ufffd"], got


def test_hundred_thousand_lines_at_once_are_in_order_and_so_are_their_times(ember):
    run = finished(ember, "sh=seq 1 100000; seq 1 20000 >&2")
    assert in_s3(ember, run) == b"".join(b"%d\n" % i for i in range(1, 100001))
    found = events(ember, run)
    assert [e["message"] for e in found] == [str(i) for i in range(1, 100001)]
    times = [e["timestamp"] for e in found]
    assert times == sorted(times)
    assert [e["message"] for e in events(ember, run, "stderr")] == [str(i) for i in range(1, 20001)]


def test_bytes_at_random(ember):
    """Not a line of text: every byte is there."""
    run = finished(ember, "sh=head -c 2000000 /dev/urandom > /tmp/r; cat /tmp/r; sha256sum < /tmp/r >&2")
    assert hashlib.sha256(in_s3(ember, run)).hexdigest() == in_s3(ember, run, "stderr").split()[0].decode()


def test_a_large_log_at_full_speed(ember):
    monitoring = {"s3MonitoringConfiguration": {"logUri": "s3://" + BUCKET}, "containerLogRotationConfiguration": {"rotationSize": "20MB", "maxFilesToKeep": 1}}
    program = "seq -f 'this is line %%.0f of a log of two hundred megabytes, written as fast as it goes, and nobody waits for it' 1 2000000 | head -c %d" % LARGE
    run = finished(ember, "sh=" + program, monitoring=monitoring)
    want = subprocess.run(program + " | sha256sum", shell=True, stdout=subprocess.PIPE, check=True).stdout.split()[0].decode()
    s3, prefix = ember.client("s3"), "%s/jobs/%s/containers/spark-%s/spark-%s-driver/stdout" % (ember.virtual_cluster, run, run, run)
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]]
    keys.sort(key=lambda k: int(k.rsplit("_", 1)[1][:-3]) if "_" in k[len(prefix):] else 1 << 40)
    assert len(keys) == LARGE // (20 << 20) + 1
    digest, total = hashlib.sha256(), 0
    for key in keys:
        text = gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        assert len(text) <= 20 << 20
        digest.update(text)
        total += len(text)
    assert (total, digest.hexdigest()) == (LARGE, want)


EXECUTOR = {"apiVersion": "v1", "kind": "Pod", "spec": {"restartPolicy": "Never", "containers": [
    {"name": "helper", "image": "ember/spark:3.5.9", "command": ["sh", "-c", "echo not shipped; exec sleep 600"]},
    {"name": "spark-kubernetes-executor", "image": "ember/spark:3.5.9", "command": []}]}}


def make_executor(ember, run, words=("echo I work; echo I fail >&2",)):
    """As Spark would make it. Its side car, whose words have no place, never ends."""
    name = "pi-%s-exec-1" % run
    driver = json.loads(ember.kubectl("get", "pod", "spark-%s-driver" % run, "-n", NAMESPACE, "-o", "json"))["metadata"]
    pod = json.loads(json.dumps(EXECUTOR))
    pod["spec"]["containers"][1]["command"] = ["sh", "-c", *words]
    pod["metadata"] = {"name": name, "namespace": NAMESPACE, "labels": {
        "emr-containers.amazonaws.com/job.id": run, "emr-containers.amazonaws.com/virtual-cluster-id": ember.virtual_cluster, "spark-role": "executor", "spark-exec-id": "1"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": driver["name"], "uid": driver["uid"], "controller": True}]}
    ember.kubectl("create", "-f", "-", input=json.dumps(pod).encode())
    def has_worked():
        states = json.loads(ember.kubectl("get", "pod", name, "-n", NAMESPACE, "-o", "json"))["status"].get("containerStatuses") or []
        return any(s["name"] == "spark-kubernetes-executor" and "terminated" in s["state"] for s in states)
    wait_for(has_worked, "the executor to end")
    return name


@pytest.mark.parametrize("logging", ["ENABLED", "DISABLED"])
def test_an_executor_beside_its_driver(ember, logging):
    run = ember.submit("out=driver", "gate=beside-" + logging, "out=end", overrides={"applicationConfiguration": [
        {"classification": "emr-containers-defaults", "properties": {"executor.logging": logging}}]})
    ember.wait_state(run, "RUNNING")
    name = make_executor(ember, run)
    ember.open_gate("beside-" + logging)
    ember.wait_state(run, "COMPLETED")
    prefix = "%s/jobs/%s/containers/" % (ember.virtual_cluster, run)
    keys = sorted(o["Key"].split("/")[-2:] for o in ember.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"])
    driver = "spark-%s-driver" % run
    want = [[driver, "stderr.gz"], [driver, "stdout.gz"]]
    if logging == "ENABLED":
        assert (in_s3(ember, run, "stdout", name), in_s3(ember, run, "stderr", name)) == (b"I work\n", b"I fail\n")
        want += [[name, "stderr.gz"], [name, "stdout.gz"]]
    assert keys == sorted(want)
    assert in_s3(ember, run) == b"driver\nend\n"
    ember.wait_reaped(run)


def test_an_executor_with_the_name_of_one_before_it(ember):
    """As after a driver's second attempt, when the executors' prefix is configured: one log holds what both have said."""
    run = ember.submit("out=driver", "gate=namesakes")
    ember.wait_state(run, "RUNNING")
    name = make_executor(ember, run, ["echo first; printf unended"])
    wait_for(lambda: in_s3_or_nothing(ember, run, name) == b"first\nunended", "the first one's log in S3")
    ember.kubectl("delete", "pod", name, "-n", NAMESPACE, "--grace-period=1", "--wait=true")
    make_executor(ember, run, ["echo second"])
    ember.open_gate("namesakes")
    ember.wait_state(run, "COMPLETED")
    assert in_s3(ember, run, "stdout", name) == b"first\nunended\nsecond\n"
    ember.wait_reaped(run)


def in_s3_or_nothing(ember, run, pod):
    try:
        return in_s3(ember, run, "stdout", pod)
    except ember.client("s3").exceptions.NoSuchKey:
        return b""
