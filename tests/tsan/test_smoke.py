"""Everything at once, a little of each: what races shows when the threads of all parts meet."""
import concurrent.futures, os, subprocess, time

import pytest
from botocore.exceptions import ClientError

from ember import KUBECTL, wait_for
from jobs import GROUP, NAMESPACE, JobEmber


def together(*calls):
    """Runs them at the same time; the first failure is raised."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        for future in [pool.submit(call) for call in calls]:
            future.result()


def some_objects(ember, number):
    """Two of these write the same keys, so that readers meet replaced and deleted objects."""
    s3 = ember.client("s3")
    body = os.urandom(200000)
    for i in range(6):
        key = "k%d" % (i % 3)
        s3.put_object(Bucket="many", Key=key, Body=body)
        try:
            assert len(s3.get_object(Bucket="many", Key=key)["Body"].read()) == len(body)
            s3.copy_object(Bucket="many", Key="copy-%d" % number, CopySource={"Bucket": "many", "Key": key})
        except ClientError as e:
            assert e.response["Error"]["Code"] == "NoSuchKey"
        s3.list_objects_v2(Bucket="many", MaxKeys=2)
        if i % 3 == 2:
            s3.delete_object(Bucket="many", Key=key)
    upload = s3.create_multipart_upload(Bucket="many", Key="big-%d" % number)["UploadId"]
    parts = [{"PartNumber": n, "ETag": s3.upload_part(Bucket="many", Key="big-%d" % number, UploadId=upload, PartNumber=n, Body=os.urandom(5 << 20 if n == 1 else 1000))["ETag"]} for n in (1, 2)]
    s3.complete_multipart_upload(Bucket="many", Key="big-%d" % number, UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.head_object(Bucket="many", Key="big-%d" % number)["ContentLength"] == (5 << 20) + 1000


def some_events(ember, number):
    logs, stream = ember.client("logs"), "stream-%d" % number
    logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    now = int(time.time() * 1000)
    for i in range(5):
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=[{"timestamp": now + k, "message": "%d %d" % (i, k)} for k in range(20)])
        logs.filter_log_events(logGroupName=GROUP, filterPattern='"%d"' % i, limit=10)
    assert len(logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True, limit=1000)["events"]) == 100


def some_runs(ember, count):
    runs = [ember.submit("out=I am %d" % i, "lines=20", "sleep=0.3") for i in range(count)]
    for i, run in enumerate(runs):
        ember.wait_state(run, "COMPLETED", timeout_s=300)
        assert ember.s3_log(run).startswith("I am %d\n" % i)
        assert ember.cloudwatch_log(run)[0] == "I am %d" % i


def test_objects_events_and_runs_at_once(ember):
    ember.client("s3").create_bucket(Bucket="many")
    together(*[lambda n=n: some_objects(ember, n) for n in range(3)], *[lambda n=n: some_events(ember, n) for n in range(2)], lambda: some_runs(ember, 3))


def test_watches_and_followed_logs_come_and_go_while_pods_do(ember):
    run = ember.submit("out=hello", "gate=followed", "lines=5")
    ember.wait_state(run, "RUNNING", timeout_s=300)
    env = dict(ember.env, KUBECONFIG=str(ember.folder / "kubeconfig"))
    def start(*words):
        return subprocess.Popen([KUBECTL, *words, "-n", NAMESPACE], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    watches = [start("get", "pods", "--watch") for _ in range(3)]
    follow = start("logs", "-f", "spark-%s-driver" % run, "-c", "spark-kubernetes-driver")
    try:
        others = [ember.submit("out=more") for _ in range(2)]
        watches.pop().kill() # in the middle of what it is told
        assert follow.stdout.readline() == b"hello\n"
        ember.open_gate("followed")
        assert b"line 4" in follow.communicate(timeout=300)[0]
        for one in [run, *others]:
            ember.wait_state(one, "COMPLETED", timeout_s=300)
    finally:
        for process in [*watches, follow]:
            process.kill()
            process.communicate()


def test_a_cancel(ember):
    runs = [ember.submit("sleep=600"), ember.submit("sleep=600")]
    ember.wait_state(runs[0], "RUNNING", timeout_s=300)
    together(*[lambda r=r: ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=r) for r in runs])
    for run in runs:
        ember.wait_state(run, "CANCELLED", timeout_s=300)
        ember.wait_reaped(run, timeout_s=300)


def test_a_restart_in_the_middle_of_everything(ember):
    runs = [ember.submit("out=before", "gate=restarted", "out=after") for _ in range(3)]
    ember.wait_state(runs[0], "RUNNING", timeout_s=300)
    def ask_until_refused():
        s3 = ember.client("s3")
        with pytest.raises(Exception):
            while True:
                s3.put_object(Bucket="many", Key="late", Body=b"x" * 1000)
    together(ember.stop, ask_until_refused, ask_until_refused)
    ember.start()
    ember.open_gate("restarted")
    for run in runs:
        ember.wait_state(run, "COMPLETED", timeout_s=300)
        wait_for(lambda: ember.cloudwatch_log(run) == ["before", "after"], "the run's log")


def test_a_report_in_a_daemons_log_is_a_failure(tmp_path):
    daemon = JobEmber(tmp_path)
    daemon.log_path.write_text('{"level":"info","event":"DAEMON_STARTED"}\nWARNING: ThreadSanitizer: data race (pid=1)\n')
    with pytest.raises(AssertionError, match="data race"):
        daemon.check_nothing_left()
