"""Why a run failed, end to end: failureReason in AWS's values and stateDetails with the true cause, one real condition each. Drivers print what
real Spark printed when it failed (tests/data/driver-logs); everything else happens in the embedded cluster. All runs are begun at once."""
import json, os, pathlib, re

import pytest

from ember import running, wait_for
from jobs import BUCKET, NAMESPACE, JobEmber

SENTENCE = "JobRun failed. Please refer logs uploaded to S3/CloudWatch based on your monitoring configuration."
EXIT_1 = "The driver ended with exit code 1. "
ONCE = {"applicationConfiguration": [{"classification": "emr-containers-defaults", "properties": {"job-start-timeout": "10"}}]}
IN_TIME = "The driver did not start within 10 seconds (cluster timeout): "

# Cause: what its recording says.
RECORDINGS = {
    "class-not-found": "Error: Failed to load class org.example.NoSuchClass.",
    "java-main": 'java.lang.NumberFormatException: For input string: "many".',
    "java-heap": "java.lang.OutOfMemoryError: Java heap space.",
    "entry-point-local": "/usr/bin/python3: can't open file '/usr/lib/spark/no_such.py': [Errno 2] No such file or directory.",
    "python-syntax": "SyntaxError: invalid syntax (python-syntax.py, line 1).",
    "python-module": "ModuleNotFoundError: No module named 'no_such_module'.",
    "python-argparse": "pets.py: error: the following arguments are required: --table.",
    "python-chained": "ValueError: invalid literal for int() with base 10: 'four'.",
    "python-from-cause": "RuntimeError: the table of pets can't be read (caused by ValueError: invalid literal for int() with base 10: 'four').",
    "python-task": "ZeroDivisionError: division by zero.",
    "python-udf": 'TypeError: can only concatenate str (not "int") to str.',
    "sql-syntax": "ParseException: [PARSE_SYNTAX_ERROR] Syntax error at or near end of input.(line 3, pos 12).",
    "table-not-found": "AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] The table or view `cats` cannot be found.",
    "column-not-found": "AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column or function parameter with name `wings` cannot be resolved.",
    "path-not-found": "AnalysisException: [PATH_NOT_FOUND] Path does not exist: file:/no/such/key.",
    "output-exists": "AnalysisException: [PATH_ALREADY_EXISTS] Path file:/tmp/pets already exists.",
    "filesystem-not-found": 'org.apache.hadoop.fs.UnsupportedFileSystemException: No FileSystem for scheme "s9".',
    "format": "SparkClassNotFoundException: [DATA_SOURCE_NOT_FOUND] Failed to find the data source: delta.",
    "cast": "SparkNumberFormatException: [CAST_INVALID_INPUT] The value 'cat' of the type",
    "divide-by-zero": "SparkArithmeticException: [DIVIDE_BY_ZERO] Division by zero.",
    "result-too-large": "Total size of serialized results of 1 tasks (17.8 MiB) is bigger than",
    "sql-shell-table": "[TABLE_OR_VIEW_NOT_FOUND] The table or view `cats` cannot be found.",
    "sql-shell-syntax": "[PARSE_SYNTAX_ERROR] Syntax error at or near 'selec'.(line 2, pos 0).",
    "executor-killed": "The executor with id 1 exited with exit code 137(SIGKILL, possible container OOM).",
}

# Cause: arguments of submit(), failureReason, how stateDetails begins, what else is in it.
CONDITIONS = {
    "exit code alone": (dict(words=["exit=7"]), "USER_ERROR", "The driver ended with exit code 7. " + SENTENCE, ""),
    "killed": (dict(words=["signal=KILL"]), "USER_ERROR", "The driver ended with exit code 137, SIGKILL. ", SENTENCE),
    "crashed": (dict(words=["signal=SEGV"]), "USER_ERROR", "The driver ended with exit code 139, SIGSEGV. ", SENTENCE),
    "driver out of memory": (dict(words=["greedy"], parameters="--conf spark.driver.memory=512m"), "USER_ERROR",
                             "The driver was killed for using more memory than its limit (OOMKilled, exit code 137, SIGKILL). ", SENTENCE),
    "key missing": (dict(words=[], entry_point="s3://%s/no/such/job.py" % BUCKET), "USER_ERROR", EXIT_1,
                    "ember: cannot download s3://%s/no/such/job.py: NoSuchKey (HTTP 404)" % BUCKET),
    "bucket missing": (dict(words=[], entry_point="s3://no-such-bucket-here/job.py"), "USER_ERROR", EXIT_1,
                       "ember: cannot download s3://no-such-bucket-here/job.py: NoSuchBucket (HTTP 404)"),
    "classification": (dict(words=[], overrides={"applicationConfiguration": [{"classification": "no-such-thing"}]}), "VALIDATION_ERROR",
                       "JobRun submission failed. Classification no-such-thing not supported.", ""),
    "invalid value": (dict(words=[], parameters="--conf spark.kubernetes.driver.label.team=a!b"), "VALIDATION_ERROR",
                      "JobRun submission failed. Kubernetes does not accept the run's configuration: ", "a!b"),
    "invalid number": (dict(words=[], parameters="--conf spark.driver.cores=many"), "VALIDATION_ERROR", "JobRun submission failed. Driver cores must be a positive number", ""),
    "invalid size": (dict(words=[], parameters="--conf spark.driver.memory=lots"), "VALIDATION_ERROR", "JobRun submission failed. Driver memory must be a positive number", ""),
    "image not found": (dict(words=[], overrides=ONCE, parameters="--conf spark.kubernetes.container.image=registry.example/pets:1"), "USER_ERROR", IN_TIME,
                        "registry.example/pets:1"),
    "unschedulable": (dict(words=[], overrides=ONCE, parameters="--conf spark.driver.memory=4000g"), "USER_ERROR", IN_TIME + "0/1 nodes are available: ",
                      "1 Insufficient memory. The driver asks for memory "),
    "no such node": (dict(words=[], overrides=ONCE, parameters="--conf spark.kubernetes.node.selector.disk=moon"), "USER_ERROR", IN_TIME + "0/1 nodes are available: ",
                     "didn't match Pod's node affinity/selector"),
    "secret missing": (dict(words=[], overrides=ONCE, parameters="--conf spark.kubernetes.driver.secretKeyRef.KEY=no-such-secret:key"), "USER_ERROR", IN_TIME,
                       'secret "no-such-secret" not found'),
    "log destination": (dict(words=[], monitoring={"s3MonitoringConfiguration": {"logUri": "s3://Not_A_Bucket/x"}}), "USER_ERROR",
                        "JobRun submission failed. The log destination can't be used: ", "Not_A_Bucket"),
    "all attempts": (dict(words=["until=9"], retryPolicyConfiguration={"maxAttempts": 2}), "USER_ERROR", "Attempt 2 of 2 failed. The driver ended with exit code 1. ValueError: attempt 2. ",
                     "Attempt 1 failed: The driver ended with exit code 1"),
}


@pytest.fixture(scope="module")
def ember(folder):
    with running(JobEmber(folder)) as daemon:
        yield daemon.prepare()


@pytest.fixture(scope="module")
def runs(ember):
    """All of them, begun: the long ones first."""
    begun = {}
    for name, (request, _, _, _) in sorted(CONDITIONS.items(), key=lambda item: "retryPolicyConfiguration" not in item[1][0]):
        request = dict(request)
        begun[name] = ember.submit(*request.pop("words"), **request)
    for name in RECORDINGS:
        begun[name] = ember.submit("log=" + name, "exit=1")
    return begun


def failed(ember, run):
    final = ember.wait_state(run, "FAILED")
    assert len(final["stateDetails"].encode()) <= 256
    return final["failureReason"], final["stateDetails"]


@pytest.mark.parametrize("cause", RECORDINGS)
def test_what_spark_wrote(ember, runs, cause):
    reason, details = failed(ember, runs[cause])
    shown = RECORDINGS[cause]
    assert reason == "USER_ERROR" and details.startswith(EXIT_1) and details.endswith(SENTENCE), details
    room = 256 - len(SENTENCE) - len(EXIT_1) - len("... ") # a long line is cut, and says so
    assert shown in details or shown[:room - 3] in details and "... JobRun failed." in details, details


@pytest.mark.parametrize("cause", CONDITIONS)
def test_what_happened(ember, runs, cause):
    _, wanted, begin, within = CONDITIONS[cause]
    reason, details = failed(ember, runs[cause])
    assert reason == wanted and details.startswith(begin) and within in details, (reason, details)


def owned_by_driver(ember, run):
    """As Spark makes its executors: the run's are those that its driver owns."""
    driver = json.loads(ember.kubectl("get", "pod", "spark-%s-driver" % run, "-n", NAMESPACE, "-o", "json"))["metadata"]
    return [{"apiVersion": "v1", "kind": "Pod", "name": driver["name"], "uid": driver["uid"], "controller": True}]


def test_an_executor_that_was_out_of_memory(ember):
    run = ember.submit("sleep=601")
    ember.wait_state(run, "RUNNING")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"ownerReferences": owned_by_driver(ember, run), "name": "pets-exec-7", "labels": {
               "spark-role": "executor", "spark-exec-id": "7", "emr-containers.amazonaws.com/job.id": run}},
           "spec": {"restartPolicy": "Never", "containers": [{"name": "spark-kubernetes-executor", "image": "ember/host", "command": ["tail", "/dev/zero"],
                                                             "resources": {"limits": {"memory": "64Mi", "cpu": "1"}}}]}}
    path = pathlib.Path(ember.folder) / "executor.json"
    path.write_text(json.dumps(pod))
    ember.kubectl("apply", "-n", NAMESPACE, "-f", path)
    wait_for(lambda: "OOMKilled" in ember.kubectl("get", "pod", "pets-exec-7", "-n", NAMESPACE, "-o", "json"), "the executor to be killed")
    for entry in pathlib.Path("/proc").iterdir(): # the driver gives up
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if words[:1] == [b"/bin/sh"] and b"sleep=601" in words and run.encode() in b" ".join(words) + (entry / "environ").read_bytes():
            os.kill(int(entry.name), 15)
    reason, details = failed(ember, run)
    assert reason == "USER_ERROR" and details.startswith(
        "Executor 7 was killed for using more memory than its limit (OOMKilled). The driver ended with exit code 143, SIGTERM. "), details


def test_executors_that_do_not_start_are_told_while_the_run_waits_for_them(ember):
    run = ember.submit("sleep=603")
    ember.wait_state(run, "RUNNING")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"ownerReferences": owned_by_driver(ember, run), "name": "large-exec-3", "labels": {
               "spark-role": "executor", "spark-exec-id": "3", "emr-containers.amazonaws.com/job.id": run}},
           "spec": {"restartPolicy": "Never", "containers": [{"name": "spark-kubernetes-executor", "image": "ember/host", "command": ["true"],
                                                             "resources": {"requests": {"memory": "4000Gi", "cpu": "1"}, "limits": {"memory": "4000Gi"}}}]}}
    path = pathlib.Path(ember.folder) / "large-executor.json"
    path.write_text(json.dumps(pod))
    ember.kubectl("apply", "-n", NAMESPACE, "-f", path)
    wait_for(lambda: re.match(r"No executor is running: executor 3: 0/1 nodes are available: 1 Insufficient memory\. It asks for memory 4000Gi, cpu 1\.", ember.describe(run).get("stateDetails", "")),
             "the executor's wait to be told")
    ember.kubectl("delete", "pod", "large-exec-3", "-n", NAMESPACE)
    wait_for(lambda: not ember.describe(run).get("stateDetails"), "it to be told no more")
    ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=run)
    assert ember.wait_state(run, "CANCELLED")["stateDetails"].startswith("JobRun CANCELLED successfully.")


def virtual_cluster(ember, namespace):
    ember.kubectl("create", "namespace", namespace)
    return ember.emr.create_virtual_cluster(name=namespace, containerProvider={"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": namespace}}})["id"]


def test_a_pod_of_another_namespace_says_nothing_of_a_run(ember, folder):
    run = ember.submit("gate=other-ended", "exit=3")
    ember.wait_state(run, "RUNNING")
    pod = json.loads(ember.kubectl("get", "pod", "spark-%s-driver" % run, "-n", NAMESPACE, "-o", "json"))
    other = ember.namespace("other")
    file = pathlib.Path(folder) / "other.json"
    file.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": pod["metadata"]["name"], "namespace": other, "labels": {"emr-containers.amazonaws.com/job.id": run, "spark-role": "driver"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "spark-kubernetes-driver", "image": pod["spec"]["containers"][0]["image"],
                                                           "args": ["driver", "local:///x.py", "out=other"]}]}}))
    ember.kubectl("apply", "-f", str(file))
    wait_for(lambda: ember.kubectl("get", "pod", pod["metadata"]["name"], "-n", other, "-o", "jsonpath={.status.phase}") == "Succeeded", "the other pod to end")
    ember.open_gate("other-ended")
    assert "exit code 3" in ember.wait_state(run, "FAILED")["stateDetails"]
    ember.wait_reaped(run)
    assert ember.kubectl("get", "pods", "-n", other, "-o", "name").split() == ["pod/" + pod["metadata"]["name"]] # it is not ours to delete
    ember.kubectl("delete", "namespace", other)


def test_a_namespace_that_is_gone(ember):
    cluster = virtual_cluster(ember, "gone")
    ember.kubectl("delete", "namespace", "gone")
    run = ember.emr.start_job_run(clientToken="gone", **dict(ember.request(), virtualClusterId=cluster))["id"]
    look = lambda: ember.emr.describe_job_run(virtualClusterId=cluster, id=run)["jobRun"]
    final = wait_for(lambda: look()["state"] == "FAILED" and look(), "the run to fail")
    assert (final["failureReason"], final["stateDetails"]) == ("USER_ERROR", "JobRun submission failed. Namespace gone does not exist in cluster local.")


def final_of(ember, cluster, token, **request):
    run = ember.emr.start_job_run(clientToken=token, **dict(ember.request(**request), virtualClusterId=cluster))["id"]
    look = lambda: ember.emr.describe_job_run(virtualClusterId=cluster, id=run)["jobRun"]
    final = wait_for(lambda: look()["state"] == "FAILED" and look(), "the run to fail")
    return final["failureReason"], final["stateDetails"]


def test_a_quota_that_is_used_up(ember):
    cluster = virtual_cluster(ember, "quota")
    ember.kubectl("create", "quota", "small", "-n", "quota", "--hard=requests.memory=1Gi,limits.memory=8Gi,pods=4")
    assert final_of(ember, cluster, "quota-1", parameters="--conf spark.driver.memory=2g") == (
        "USER_ERROR", "Cluster local does not have sufficient resources. Namespace quota: exceeded quota: small, requested: requests.memory=2867Mi, "
                      "used: requests.memory=0, limited: requests.memory=1Gi")
    assert "requests.memory  0" in ember.kubectl("describe", "quota", "small", "-n", "quota") # what did not fit is not counted
    run = ember.emr.start_job_run(clientToken="quota-2", **dict(ember.request(parameters="--conf spark.driver.memory=512m"), virtualClusterId=cluster))["id"]
    wait_for(lambda: ember.emr.describe_job_run(virtualClusterId=cluster, id=run)["jobRun"]["state"] == "COMPLETED", "a run that fits")


def test_a_quota_that_wants_every_limit_said(ember):
    cluster = virtual_cluster(ember, "limits")
    ember.kubectl("create", "quota", "strict", "-n", "limits", "--hard=limits.cpu=8")
    reason, details = final_of(ember, cluster, "limits-1")
    assert reason == "USER_ERROR" and details.startswith("JobRun submission failed. Namespace limits forbids the pod: failed quota: strict: must specify limits.cpu for: "), details


def test_a_limit_range(ember):
    cluster = virtual_cluster(ember, "ranged")
    path = pathlib.Path(ember.folder) / "range.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"},
                                "spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}}))
    ember.kubectl("apply", "-n", "ranged", "-f", path)
    assert final_of(ember, cluster, "range-1", parameters="--conf spark.driver.memory=2g") == (
        "USER_ERROR", "JobRun submission failed. Namespace ranged forbids the pod: maximum memory usage per Container is 1Gi, but limit is 2867Mi")


def test_who_cancelled(ember):
    run = ember.submit("sleep=602")
    ember.wait_state(run, "RUNNING")
    ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=run)
    final = ember.wait_state(run, "CANCELLED")
    assert final["stateDetails"] == "JobRun CANCELLED successfully. Cancelled by %s." % ember.client("sts").get_caller_identity()["Arn"]


def test_a_virtual_cluster_that_is_deleted(ember):
    cluster = virtual_cluster(ember, "ended")
    run = ember.emr.start_job_run(clientToken="ended", **dict(ember.request("sleep=603"), virtualClusterId=cluster))["id"]
    ember.emr.delete_virtual_cluster(id=cluster)
    look = lambda: ember.emr.describe_job_run(virtualClusterId=cluster, id=run)["jobRun"]
    final = wait_for(lambda: look()["state"] == "CANCELLED" and look(), "the run to be cancelled")
    assert final["stateDetails"] == "JobRun CANCELLED successfully. Cancelled by the deletion of its virtual cluster."
