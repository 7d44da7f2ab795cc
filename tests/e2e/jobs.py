"""Job runs for tests: an emberd whose release 3.5.9 is a small program, and what one does with job runs."""
import gzip, json, os, pathlib, shutil, uuid

import botocore.exceptions

from ember import Ember, wait_for

RECORDED = pathlib.Path(__file__).resolve().parents[1] / "data" / "driver-logs"
FINAL = ("COMPLETED", "FAILED", "CANCELLED")
ROLE = "arn:aws:iam::111122223333:role/EMRContainers-JobExecutionRole"
BUCKET, GROUP, PREFIX, NAMESPACE = "my-emr-log-bucket", "emr-on-eks-log", "pi", "emr-job"

# What the job's arguments say, one after the other.
PROGRAM = r"""#!/bin/sh
trap 'echo "terminated"; exit 143' TERM
while [ $# -gt 0 ]; do
    case "$1" in local:*|file:*|s3:*|spark-internal) shift; break ;; esac
    shift
done
for word in "$@"; do
    case "$word" in
    out=*) echo "${word#out=}" ;;
    err=*) echo "${word#err=}" >&2 ;;
    lines=*) i=0; while [ $i -lt "${word#lines=}" ]; do echo "line $i"; i=$((i + 1)); done ;;
    sleep=*) sleep "${word#sleep=}" & wait $! ;;
    gate=*) i=0; until [ -e "/opt/spark/logs/${word#gate=}" ] || [ $i -gt 10000 ]; do sleep 0.05; i=$((i + 1)); done ;; # until the test says open_gate()
    exit=*) exit "${word#exit=}" ;;
    log=*) cat "/opt/spark/logs/${word#log=}.stdout"; cat "/opt/spark/logs/${word#log=}.stderr" >&2 ;; # what real Spark wrote
    signal=*) kill "-${word#signal=}" $$ ;;
    greedy) tail /dev/zero ;;
    stubborn) trap '' TERM ;;
    until=*) attempt=$(cat /proc/sys/kernel/hostname); attempt=${attempt##*-} # those before fail
        [ "$attempt" = driver ] && attempt=1
        [ "$attempt" -ge "${word#until=}" ] || { echo "ValueError: attempt $attempt" >&2; exit 1; } ;;
    uid) id -u ;;
    env) env ;;
    sh=*) sh -c "${word#sh=}" ;;
    cat=*) cat "${word#cat=}" ;;
    esac
done
"""


class JobEmber(Ember):
    """spark_dir: None makes a release of PROGRAM; a path is an installation with real Spark."""

    def __init__(self, folder, *options, spark_dir=None):
        super().__init__(folder, *options)
        self.spark_dir = spark_dir or self.make_release()

    def make_release(self):
        home = pathlib.Path(self.folder) / "spark" / "3.5.9"
        (home / "jars").mkdir(parents=True)
        (home / "jars" / "none.jar").write_bytes(b"")
        (home / "logs").mkdir()
        for path in RECORDED.glob("*.std*"):
            shutil.copyfile(path, home / "logs" / path.name)
        program = home / "entrypoint.sh"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        os.chmod(self.folder, 0o755)
        return home.parent

    def start(self):
        os.environ["EMBER_SPARK_DIR"] = str(self.spark_dir)
        try:
            return super().start()
        finally:
            del os.environ["EMBER_SPARK_DIR"]

    def kill(self):
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def open_gate(self, name):
        """Lets go on whoever waits at the word gate=NAME, now and later."""
        (self.spark_dir / "3.5.9" / "logs" / name).touch()

    @property
    def emr(self):
        return self.client("emr-containers")

    def prepare(self):
        """The walk-through's steps up to the virtual cluster."""
        self.namespace(NAMESPACE)
        self.client("s3").create_bucket(Bucket=BUCKET)
        self.client("logs").create_log_group(logGroupName=GROUP)
        self.virtual_cluster = self.emr.create_virtual_cluster(
            name="demo", containerProvider={"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": NAMESPACE}}})["id"]
        return self

    def request(self, *words, entry_point="local:///opt/spark/job.py", parameters="", monitoring=None, overrides=None, **more):
        return dict(virtualClusterId=self.virtual_cluster, name="test", executionRoleArn=ROLE, releaseLabel="emr-6.2.0-latest",
                    jobDriver={"sparkSubmitJobDriver": {"entryPoint": entry_point, "entryPointArguments": list(words), **({"sparkSubmitParameters": parameters} if parameters else {})}},
                    configurationOverrides={**(overrides or {}), "monitoringConfiguration": monitoring if monitoring is not None else {
                        "cloudWatchMonitoringConfiguration": {"logGroupName": GROUP, "logStreamNamePrefix": PREFIX},
                        "s3MonitoringConfiguration": {"logUri": "s3://" + BUCKET}}}, **more)

    def submit(self, *words, **more):
        return self.emr.start_job_run(**self.request(*words, clientToken=str(uuid.uuid4()), **more))["id"]

    def describe(self, run):
        return self.emr.describe_job_run(virtualClusterId=self.virtual_cluster, id=run)["jobRun"]

    def wait_state(self, run, *states, timeout_s=240):
        def look():
            got = self.describe(run)
            assert got["state"] in states or got["state"] not in FINAL, got
            return got if got["state"] in states else None
        try:
            return wait_for(look, "job run %s to be %s" % (run, " or ".join(states)), timeout_s)
        except AssertionError as problem:
            raise AssertionError("%s\n%s\n%s" % (problem, self.describe(run), self.log_path.read_text(errors="replace")[-3000:]))

    def wait_reaped(self, run, timeout_s=180):
        """Nothing of the run is left in the cluster."""
        def gone():
            out = self.kubectl("get", "pods,svc,cm,secret", "-n", NAMESPACE, "-l", "emr-containers.amazonaws.com/job.id=" + run, "-o", "name")
            return not out.strip()
        wait_for(gone, "objects of %s to be removed" % run, timeout_s)

    def s3_log(self, run, stream="stdout", pod=None, prefix=""):
        key = "%s%s/jobs/%s/containers/spark-%s/%s/%s.gz" % (prefix, self.virtual_cluster, run, run, pod or "spark-%s-driver" % run, stream)
        return gzip.decompress(self.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()).decode()

    def cloudwatch_log(self, run, stream="stdout", pod=None):
        name = "%s/%s/jobs/%s/containers/spark-%s/%s/%s" % (PREFIX, self.virtual_cluster, run, run, pod or "spark-%s-driver" % run, stream)
        events, token = [], None
        logs = self.client("logs")
        while True:
            page = logs.get_log_events(logGroupName=GROUP, logStreamName=name, startFromHead=True, **({"nextToken": token} if token else {}))
            events += [e["message"] for e in page["events"]]
            if page["nextForwardToken"] == token:
                return events
            token = page["nextForwardToken"]
