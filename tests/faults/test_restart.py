"""Restarts, several runs at once, cancel in each state, failures with their causes."""
import concurrent.futures, os, time, uuid

import botocore.exceptions
import pytest

from ember import processes_of, wait_for
from jobs import BUCKET, GROUP, NAMESPACE


def pods(ember):
    return ember.kubectl("get", "pods", "-n", NAMESPACE, "-o", "name").split()


def test_two_runs_at_once_keep_to_themselves(ember):
    runs = [ember.submit("out=I am %d" % i, "sleep=0.5") for i in range(2)]
    for i, run in enumerate(runs):
        assert ember.wait_state(run, "COMPLETED")["stateDetails"].startswith("JobRun completed successfully. It ran for ")
        assert ember.s3_log(run) == "I am %d\n" % i
        assert ember.cloudwatch_log(run) == ["I am %d" % i]


def test_ten_queued_runs_survive_a_kill_and_a_restart(ember):
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        runs = list(pool.map(lambda i: ember.submit("lines=5", "sleep=0.2", "out=%d" % i), range(10)))
    ember.kill()
    ember.start()
    for i, run in enumerate(runs):
        ember.wait_state(run, "COMPLETED", timeout_s=240)
        assert ember.cloudwatch_log(run) == ["line %d" % k for k in range(5)] + [str(i)]


def test_a_running_pod_outlives_a_restart_and_is_adopted(ember):
    run = ember.submit("out=before", "gate=adopted", "out=after")
    ember.wait_state(run, "RUNNING")
    before = [p for p, _ in processes_of(ember.data_dir) if p != ember.process.pid]
    ember.stop()
    assert [p for p in before if os.path.exists("/proc/%d" % p)]
    ember.start()
    assert ember.describe(run)["state"] == "RUNNING"
    ember.open_gate("adopted")
    ember.wait_state(run, "COMPLETED")
    assert ember.s3_log(run) == "before\nafter\n"
    assert ember.cloudwatch_log(run) == ["before", "after"]


def test_a_driver_that_ended_while_emberd_was_away_is_found(ember):
    gate = "short-" + uuid.uuid4().hex
    run = ember.submit("out=short", "gate=" + gate)
    ember.wait_state(run, "RUNNING")
    ember.kill()
    assert processes_of("gate=" + gate)
    ember.open_gate(gate)
    wait_for(lambda: not processes_of("gate=" + gate), "the program to end")
    ember.start()
    ember.wait_state(run, "COMPLETED")
    assert ember.s3_log(run) == "short\n"


def test_cancel_of_a_pending_run(ember):
    run = ember.submit("sleep=600", parameters="--conf spark.driver.memory=4000g")
    ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=run)
    assert ember.describe(run)["state"] in ("CANCEL_PENDING", "CANCELLED")
    assert ember.wait_state(run, "CANCELLED")["stateDetails"].startswith("JobRun CANCELLED successfully.")
    ember.wait_reaped(run)


def test_cancel_at_any_moment_of_the_start(ember):
    """Right after the answer, and a little later each time."""
    for delay_ms in (0, 5, 10, 20, 40, 80, 160):
        run = ember.submit("out=x", "sleep=600")
        deadline = time.monotonic() + delay_ms / 1000
        wait_for(lambda: time.monotonic() >= deadline, "the moment")
        ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=run)
        ember.wait_state(run, "CANCELLED")
        ember.wait_reaped(run)


def test_cancel_of_a_running_run_stops_its_processes_and_keeps_its_log(ember):
    run = ember.submit("out=started", "sleep=600")
    ember.wait_state(run, "RUNNING")
    wait_for(lambda: "started" in (ember.cloudwatch_log(run) or [""]), "the log to be live")
    ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=run)
    final = ember.wait_state(run, "CANCELLED")
    assert final.get("finishedAt")
    assert ember.s3_log(run).splitlines()[0] == "started"
    ember.wait_reaped(run)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=run)
    assert str(refused.value).endswith("Job run %s is not in a cancellable state" % run)


def test_logs_are_live_while_the_run_runs(ember):
    run = ember.submit("out=hello", "sleep=600")
    ember.wait_state(run, "RUNNING")

    def in_cloudwatch():
        try:
            return ember.cloudwatch_log(run) == ["hello"]
        except botocore.exceptions.ClientError:
            return False

    def in_s3():
        try:
            return ember.s3_log(run) == "hello\n"
        except botocore.exceptions.ClientError:
            return False
    wait_for(in_cloudwatch, "the line in CloudWatch")
    wait_for(in_s3, "the line in S3")
    assert ember.describe(run)["state"] == "RUNNING"
    ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=run)
    ember.wait_state(run, "CANCELLED")


def test_a_failing_job_says_its_last_error_line(ember):
    run = ember.submit("err=Traceback (most recent call last):", "err=ValueError: no such column: price", "exit=3")
    final = ember.wait_state(run, "FAILED")
    assert final["failureReason"] == "USER_ERROR"
    assert "exit code 3" in final["stateDetails"] and "ValueError: no such column: price" in final["stateDetails"]
    assert "Please refer logs uploaded to S3/CloudWatch" in final["stateDetails"]


def test_a_pod_that_does_not_fit_stays_pending_with_the_schedulers_words(ember):
    run = ember.submit("out=x", parameters="--conf spark.driver.memory=4000g")
    wait_for(lambda: "Insufficient memory" in (ember.describe(run).get("stateDetails") or ""), "the scheduler's words")
    assert ember.describe(run)["state"] == "SUBMITTED"
    assert "Pending" in ember.kubectl("get", "pods", "-n", NAMESPACE)
    ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=run)
    ember.wait_state(run, "CANCELLED")


def test_a_missing_destination_is_made(ember):
    run = ember.submit("out=made", monitoring={"s3MonitoringConfiguration": {"logUri": "s3://made-by-ember/deep/er/"},
                                               "cloudWatchMonitoringConfiguration": {"logGroupName": "made-by-ember", "logStreamNamePrefix": "p"}})
    ember.wait_state(run, "COMPLETED")
    keys = [o["Key"] for o in ember.client("s3").list_objects_v2(Bucket="made-by-ember")["Contents"]]
    assert "deep/er/%s/jobs/%s/containers/spark-%s/spark-%s-driver/stdout.gz" % (ember.virtual_cluster, run, run, run) in keys
    assert "deep/er/%s/jobs/%s/job-metadata.log" % (ember.virtual_cluster, run) in keys
    assert ember.client("logs").describe_log_groups(logGroupNamePrefix="made-by-ember")["logGroups"]


def test_a_destination_that_cannot_be_made_fails_the_run_early(ember):
    run = ember.submit("out=x", monitoring={"s3MonitoringConfiguration": {"logUri": "s3://Not_A_Bucket/x"}})
    final = ember.wait_state(run, "FAILED")
    assert final["failureReason"] == "USER_ERROR" and "Not_A_Bucket" in final["stateDetails"], final
    assert not any(run in p for p in pods(ember))


def test_deleting_a_virtual_cluster_ends_its_runs(ember):
    ember.kubectl("create", "namespace", "doomed")
    cluster = ember.emr.create_virtual_cluster(name="doomed", containerProvider={"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": "doomed"}}})["id"]
    request = ember.request("sleep=600")
    request["virtualClusterId"] = cluster
    run = ember.emr.start_job_run(clientToken=str(uuid.uuid4()), **request)["id"]
    ember.emr.delete_virtual_cluster(id=cluster)
    assert ember.emr.describe_virtual_cluster(id=cluster)["virtualCluster"]["state"] in ("TERMINATING", "TERMINATED")
    wait_for(lambda: ember.emr.describe_virtual_cluster(id=cluster)["virtualCluster"]["state"] == "TERMINATED", "the virtual cluster to end")
    assert ember.emr.describe_job_run(virtualClusterId=cluster, id=run)["jobRun"]["state"] == "CANCELLED"


def test_a_run_has_a_uid_of_its_own_and_its_own_key(ember):
    if os.geteuid():
        pytest.skip("uids of their own need root")
    runs = [ember.submit("uid") for _ in range(2)]
    uids = set()
    for run in runs:
        ember.wait_state(run, "COMPLETED")
        uids.add(int(ember.s3_log(run)))
    assert len(uids) == 2 and all(uid >= 1900000000 for uid in uids)
    run = ember.submit("env")
    ember.wait_state(run, "COMPLETED")
    env = dict(line.split("=", 1) for line in ember.s3_log(run).splitlines() if "=" in line)
    assert env["AWS_ACCESS_KEY_ID"].startswith("ASIA") and env["AWS_ACCESS_KEY_ID"] != ember.key_id
    assert env["AWS_ENDPOINT_URL"] == ember.endpoint
    ember.wait_reaped(run)
    keys = dict(aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"], aws_session_token=env["AWS_SESSION_TOKEN"])

    def refused():
        try:
            ember.client("s3", **keys).list_buckets()
        except botocore.exceptions.ClientError as problem:
            return problem.response["Error"]["Code"] == "InvalidAccessKeyId"
    wait_for(refused, "the key to be gone with its run")
