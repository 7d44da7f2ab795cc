"""The queue of a virtual cluster, retried drivers, and cancels in both; also when emberd is killed at any step of them."""
import concurrent.futures, contextlib, sqlite3, subprocess, time, uuid

import botocore.exceptions
import pytest

from ember import SLOW, wait_for
from test_kill import Killer, is_dead, revive


@contextlib.contextmanager
def limits(ember, **configuration):
    """The virtual cluster with these limits for a while."""
    ember.emr.update_virtual_cluster(id=ember.virtual_cluster, schedulerConfiguration=configuration)
    try:
        yield
    finally:
        ember.emr.update_virtual_cluster(id=ember.virtual_cluster, schedulerConfiguration={})


def events(ember, kind):
    """The runs of all events of a kind, oldest first."""
    with contextlib.closing(sqlite3.connect("file:%s/ember.db?mode=ro" % ember.data_dir, uri=True)) as db:
        return [row[0] for row in db.execute("SELECT job_run_id FROM job_run_event WHERE event = ? ORDER BY sequence", (kind,))]


def status(ember):
    return ember.emr.describe_virtual_cluster(id=ember.virtual_cluster)["virtualCluster"]["schedulerStatus"]


def details(ember, run, text):
    return wait_for(lambda: text in (ember.describe(run).get("stateDetails") or ""), "%s to say %r" % (run, text))


def cancel(ember, run):
    return ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=run)


def attempt_pod(run, attempt):
    return "spark-%s-driver%s" % (run, "-%d" % attempt if attempt > 1 else "")


def test_runs_of_ten_threads_start_in_the_order_of_their_creation(ember):
    with limits(ember, maxConcurrentJobRuns=1):
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            runs = list(pool.map(lambda i: ember.submit("out=%d" % i), range(20)))
        ember.kill() # the order is on disk
        ember.start()
        for run in runs:
            ember.wait_state(run, "COMPLETED", timeout_s=480)
        assert [r for r in events(ember, "LAUNCHED") if r in runs] == sorted(runs)
        assert [r for r in events(ember, "START") if r in runs] == sorted(runs)


def test_the_queue_holds_back_refuses_and_lets_go(ember):
    with limits(ember, maxConcurrentJobRuns=1, maxInQueueJobRuns=2):
        first = ember.submit("sleep=%d" % (600 * SLOW))
        ember.wait_state(first, "RUNNING")
        second, third = ember.submit("sleep=600"), ember.submit("out=third")
        details(ember, second, "Queued: 1 of at most 1 job runs of the virtual cluster are under way (maxConcurrentJobRuns).")
        assert ember.describe(third)["state"] == "PENDING"
        assert status(ember) == {"currentInQueueJobRuns": 2, "currentConcurrentJobRuns": 1}
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            ember.submit("out=fourth")
        assert refused.value.response["Error"]["Code"] == "ValidationException" and "queue" in str(refused.value) and "2 of 2" in str(refused.value)
        cancel(ember, second)
        cancelled = ember.wait_state(second, "CANCELLED")
        assert cancelled["stateDetails"].startswith("JobRun CANCELLED successfully.")
        with pytest.raises(botocore.exceptions.ClientError) as again:
            cancel(ember, second)
        assert str(again.value).endswith("Job run %s is not in a cancellable state" % second)
        fourth = ember.submit("out=fourth") # its place in the queue is free
        ember.emr.update_virtual_cluster(id=ember.virtual_cluster, schedulerConfiguration={"maxConcurrentJobRuns": 3})
        for run in (third, fourth):
            ember.wait_state(run, "COMPLETED")
        cancel(ember, first)
        ember.wait_state(first, "CANCELLED")
    assert second not in events(ember, "LAUNCHED")


def test_a_failed_driver_is_tried_again_with_its_own_pod_and_logs(ember):
    run = ember.submit("out=hello", "until=2", "out=done", retryPolicyConfiguration={"maxAttempts": 3})
    details(ember, run, "Attempt 1 of 3 failed, the next one begins at ")
    waiting = ember.describe(run)
    assert "ValueError: attempt 1" in waiting["stateDetails"] and waiting["retryPolicyExecution"] == {"currentAttemptCount": 1}
    assert waiting["state"] in ("SUBMITTED", "RUNNING") and "finishedAt" not in waiting
    ember.kill() # the due time is on disk
    ember.start()
    final = ember.wait_state(run, "COMPLETED")
    assert final["retryPolicyExecution"] == {"currentAttemptCount": 2} and final["retryPolicyConfiguration"] == {"maxAttempts": 3}
    assert ember.s3_log(run, pod=attempt_pod(run, 1)) == "hello\n" and ember.s3_log(run, pod=attempt_pod(run, 2)) == "hello\ndone\n"
    assert ember.cloudwatch_log(run, pod=attempt_pod(run, 2)) == ["hello", "done"]
    assert ember.s3_log(run, "stderr") == "ValueError: attempt 1\n"
    assert [r for r in events(ember, "RETRIED") if r == run] == [run]
    ember.wait_reaped(run)


def test_the_last_attempts_cause_ends_the_run(ember):
    run = ember.submit("until=9", retryPolicyConfiguration={"maxAttempts": 2})
    final = ember.wait_state(run, "FAILED")
    assert final["failureReason"] == "USER_ERROR" and final["retryPolicyExecution"] == {"currentAttemptCount": 2}
    assert final["stateDetails"].startswith("Attempt 2 of 2 failed. The driver ended with exit code 1. ValueError: attempt 2.")
    ember.wait_reaped(run)


def test_cancel_in_the_back_off(ember):
    run = ember.submit("until=9", retryPolicyConfiguration={"maxAttempts": 5})
    details(ember, run, "Attempt 1 of 5 failed")
    cancel(ember, run)
    final = ember.wait_state(run, "CANCELLED")
    assert final["retryPolicyExecution"] == {"currentAttemptCount": 1}
    ember.wait_reaped(run)


def test_the_job_start_timeout_does_not_count_the_queue(ember):
    timeout = {"applicationConfiguration": [{"classification": "emr-containers-defaults", "properties": {"job-start-timeout": "6"}}]}
    with limits(ember, maxConcurrentJobRuns=1):
        first = ember.submit("sleep=%d" % (9 * SLOW))
        queued = ember.submit("out=x", overrides=timeout) # waits longer than its start timeout
        ember.wait_state(first, "COMPLETED")
        ember.wait_state(queued, "COMPLETED", "FAILED")
        unplaced = ember.submit("out=x", overrides=timeout, parameters="--conf spark.driver.memory=4000g", retryPolicyConfiguration={"maxAttempts": 3})
        final = ember.wait_state(unplaced, "FAILED")
        assert final["stateDetails"].startswith("The driver did not start within 6 seconds (cluster timeout): ") and "Insufficient memory" in final["stateDetails"]
        assert final["retryPolicyExecution"] == {"currentAttemptCount": 1}


def test_a_virtual_cluster_that_is_deleted_takes_its_queue_with_it(ember):
    ember.kubectl("create", "namespace", "crowded")
    cluster = ember.emr.create_virtual_cluster(name="crowded", containerProvider={"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": "crowded"}}},
                                               schedulerConfiguration={"maxConcurrentJobRuns": 1})["id"]
    request = dict(ember.request("sleep=600"), virtualClusterId=cluster)
    runs = [ember.emr.start_job_run(clientToken=str(uuid.uuid4()), **request)["id"] for _ in range(5)]
    state = lambda run: ember.emr.describe_job_run(virtualClusterId=cluster, id=run)["jobRun"]["state"]
    wait_for(lambda: state(runs[0]) == "RUNNING", "the first to run")
    ember.emr.delete_virtual_cluster(id=cluster)
    wait_for(lambda: ember.emr.describe_virtual_cluster(id=cluster)["virtualCluster"]["state"] == "TERMINATED", "the virtual cluster to end")
    assert [state(run) for run in runs] == ["CANCELLED"] * 5
    launched = events(ember, "LAUNCHED")
    assert [run in launched for run in runs] == [True, False, False, False, False]


# Where emberd is killed: at the K-th call of a kind after the moment.
POINTS = [(moment, "fdatasync", k) for moment in ("submit", "back-off", "cancel") for k in (1, 2, 4)] + \
         [("submit", "fdatasync", k) for k in (8, 13)] + [(moment, "sendto", k) for moment in ("back-off", "cancel") for k in (1, 3)] + [("back-off", "pwrite64", 9)]
reached = []


class Story:
    """A run that is tried twice, one that waits for it, and one that is cancelled in the queue; told again until it is answered."""

    def __init__(self, ember):
        self.ember, self.killed, self.killer, self.runs = ember, [], None, {}

    def attach(self, call, number):
        self.killer = Killer(self.ember.process.pid, call, number)

    def insist(self, function):
        deadline = time.monotonic() + 300
        while True:
            assert time.monotonic() < deadline, self.ember.log_path.read_text()[-3000:]
            if self.ember.process.poll() is not None:
                revive(self.ember, self.killed)
            try:
                value = function()
                if value:
                    return value
            except (botocore.exceptions.BotoCoreError, AssertionError, subprocess.CalledProcessError): # it has just been killed
                pass
            time.sleep(0.02)

    def submit(self, name, *words, **more):
        request = self.ember.request(*words, clientToken=str(uuid.uuid4()), **more)
        self.runs[name] = self.insist(lambda: self.ember.emr.start_job_run(**request)["id"])

    def cancel(self, name):
        def ask():
            with contextlib.suppress(botocore.exceptions.ClientError): # it was heard before the kill
                cancel(self.ember, self.runs[name])
            return True
        self.insist(ask)

    def final(self, name):
        def look():
            got = self.ember.describe(self.runs[name])
            return got if got["state"] in ("COMPLETED", "FAILED", "CANCELLED") else None
        return self.insist(look)


@pytest.mark.parametrize("moment,call,number", POINTS, ids=str)
def test_queue_retry_and_cancel_survive_a_kill(ember, moment, call, number):
    story = Story(ember)
    with limits(ember, maxConcurrentJobRuns=1):
        try:
            if moment == "submit":
                story.attach(call, number)
            story.submit("tried", "out=hello", "until=2", "out=done", retryPolicyConfiguration={"maxAttempts": 3})
            story.submit("cancelled", "out=never")
            story.submit("waits", "out=waited")
            if moment == "back-off":
                details(ember, story.runs["tried"], "Attempt 1 of 3 failed")
            if moment != "submit":
                story.attach(call, number)
            story.cancel("cancelled")
            finals = {name: story.final(name) for name in ("cancelled", "tried", "waits")}
            for run in story.runs.values():
                story.insist(lambda: ember.wait_reaped(run) is None)
        finally:
            if story.killer:
                story.killer.stop()
            if is_dead(ember):
                revive(ember, story.killed)
    if story.killed:
        reached.append((moment, call, number))
    tried, cancelled, waits = story.runs["tried"], story.runs["cancelled"], story.runs["waits"]
    assert {name: f["state"] for name, f in finals.items()} == {"tried": "COMPLETED", "cancelled": "CANCELLED", "waits": "COMPLETED"}, finals
    assert finals["tried"]["retryPolicyExecution"] == {"currentAttemptCount": 2}
    assert ember.cloudwatch_log(tried) == ["hello"] and ember.cloudwatch_log(tried, pod=attempt_pod(tried, 2)) == ["hello", "done"]
    assert ember.s3_log(tried, pod=attempt_pod(tried, 2)) == "hello\ndone\n" and ember.cloudwatch_log(waits) == ["waited"]
    assert [r for r in events(ember, "LAUNCHED") if r in story.runs.values()] == [tried, tried, waits] # once each, in order
    assert [r for r in events(ember, "RETRIED") if r in story.runs.values()] == [tried]


def test_at_least_ten_points_were_hit():
    assert len(reached) >= 10, reached
