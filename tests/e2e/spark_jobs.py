"""What the tests with real Spark share. A run costs some 15 s of CPU, so each one answers several questions."""
import contextlib, gzip, json, pathlib, re

import pytest

from ember import ROOT, processes_of, running, wait_for
from jobs import BUCKET, NAMESPACE, JobEmber

SPARK = ROOT / ".deps/spark"
EXAMPLES = "local:///usr/lib/spark/examples/jars/spark-examples.jar"
PI = re.compile(r"^Pi is roughly 3\.[01234]\d*$", re.M)
JOB_S = 900 # sanitizers, two processors and other tests beside this one

needs_spark = pytest.mark.skipif(not (SPARK / "3.5.9").is_dir(), reason="Spark 3.5.9 is not installed: make setup")


@contextlib.contextmanager
def spark_daemon(folder):
    with running(JobEmber(folder, spark_dir=SPARK)) as daemon:
        yield daemon.prepare()


def small(executors=1, *more):
    return " ".join(["--conf spark.executor.instances=%d --conf spark.executor.memory=512m --conf spark.driver.memory=512m" % executors, *more])


def put(ember, key, text):
    ember.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode() if isinstance(text, str) else text)
    return "s3://%s/%s" % (BUCKET, key)


def finish(ember, run, state="COMPLETED"):
    """Its last description; when it is not as wished, with what the driver said."""
    try:
        return ember.wait_state(run, state, timeout_s=JOB_S)
    except AssertionError as problem:
        try:
            said = ember.s3_log(run, "stderr")[-4000:] + ember.s3_log(run)[-4000:]
        except Exception as missing: # the first problem is what matters
            said = "no log of the driver: %s" % missing
        raise AssertionError("%s\n%s" % (problem, said))


def executor_pods(ember, run):
    """Names of the executors that have logs in S3."""
    prefix = "%s/jobs/%s/containers/spark-%s/" % (ember.virtual_cluster, run, run)
    keys = [o["Key"] for o in ember.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]]
    return sorted(name for name in {k[len(prefix):].split("/")[0] for k in keys} if not name.startswith("spark-%s-driver" % run))


def control_log(ember, run):
    prefix = "%s/jobs/%s/control-logs/" % (ember.virtual_cluster, run)
    s3, text = ember.client("s3"), ""
    for o in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []):
        text += gzip.decompress(s3.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read()).decode()
    return text


def pod_processes(ember, run):
    """Java and Python of the run's pods, as (pid, arguments); the daemon and the supervisors are not among them."""
    found = []
    for pid, _ in processes_of("spark-" + run):
        with contextlib.suppress(OSError):
            words = pathlib.Path("/proc/%d/cmdline" % pid).read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if re.match(r"\S*(java|python3?) ", words):
                found.append((pid, words))
    return found


def pods(ember, run, role):
    out = ember.kubectl("get", "pods", "-n", NAMESPACE, "-l", "spark-role=%s,emr-containers.amazonaws.com/job.id=%s" % (role, run), "-o", "json")
    return json.loads(out)["items"]


def wait_executor_running(ember, run):
    def look():
        assert ember.describe(run)["state"] not in ("FAILED", "COMPLETED"), ember.describe(run)
        return any(p["status"].get("phase") == "Running" for p in pods(ember, run, "executor"))
    wait_for(look, "an executor of %s to run" % run, JOB_S)
