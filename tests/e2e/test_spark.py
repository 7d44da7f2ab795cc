"""Real Spark in the embedded cluster, driven by the real clients. A run costs some 10 s of CPU, so each one answers several questions."""
import contextlib, gzip, io, json, os, pathlib, re, signal, time, zipfile

import pytest

from ember import ROOT, processes_of, wait_for
from jobs import BUCKET, GROUP, NAMESPACE, PREFIX, ROLE, JobEmber

SPARK = ROOT / ".deps/spark"
EXAMPLES = "local:///usr/lib/spark/examples/jars/spark-examples.jar"
PI = re.compile(r"^Pi is roughly 3\.[01234]\d*$", re.M)
JOB_S = 420 # sanitizers, two processors and other tests beside this one

pytestmark = pytest.mark.skipif(not (SPARK / "3.5.9").is_dir(), reason="Spark 3.5.9 is not installed: make setup")


@pytest.fixture(scope="module")
def ember(folder):
    daemon = JobEmber(folder, spark_dir=SPARK).start()
    try:
        daemon.prepare()
        yield daemon
    finally:
        if daemon.process:
            daemon.stop()
        daemon.check_nothing_left()


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
            said = ember.s3_log(run, "stderr")[-4000:]
        except Exception as missing: # the first problem is what matters
            said = "no log of the driver: %s" % missing
        raise AssertionError("%s\n%s" % (problem, said))


def executor_pods(ember, run):
    """Names of the executors that have logs in S3."""
    prefix = "%s/jobs/%s/containers/spark-%s/" % (ember.virtual_cluster, run, run)
    keys = [o["Key"] for o in ember.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]]
    return sorted({k[len(prefix):].split("/")[0] for k in keys} - {"spark-%s-driver" % run})


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


def wait_archives(ember, run):
    """The JVMs of driver and executor have mapped the class data archives, if there are any."""
    if not (ROOT / ".deps/archives/3.5.9/stamp").exists():
        return
    def mapped(name):
        for pid, words in pod_processes(ember, run):
            with contextlib.suppress(OSError):
                if "/opt/ember/archives/%s.jsa" % name in pathlib.Path("/proc/%d/maps" % pid).read_text():
                    return True
        return False
    for name in ("driver", "executor"):
        wait_for(lambda: mapped(name), "the archive of the %s to be used" % name)


def pods(ember, run, role):
    out = ember.kubectl("get", "pods", "-n", NAMESPACE, "-l", "spark-role=%s,emr-containers.amazonaws.com/job.id=%s" % (role, run), "-o", "json")
    return json.loads(out)["items"]


def wait_executor_running(ember, run):
    def look():
        assert ember.describe(run)["state"] not in ("FAILED", "COMPLETED"), ember.describe(run)
        return any(p["status"].get("phase") == "Running" for p in pods(ember, run, "executor"))
    wait_for(look, "an executor of %s to run" % run, JOB_S)


def test_pi_as_the_guide_has_it(ember):
    parameters = "--conf spark.executor.instances=1 --conf spark.executor.memory=2G --conf spark.executor.cores=1 --conf spark.driver.cores=1"
    started = ember.aws(
        "emr-containers", "start-job-run", "--virtual-cluster-id", ember.virtual_cluster, "--name", "pi-job", "--execution-role-arn", ROLE,
        "--release-label", "emr-6.2.0-latest", "--job-driver",
        '{"sparkSubmitJobDriver": {"entryPoint": "local:///usr/lib/spark/examples/src/main/python/pi.py", "sparkSubmitParameters": "%s"}}' % parameters,
        "--configuration-overrides", '{"applicationConfiguration": [{"classification": "spark-defaults", "properties": {"spark.driver.memory": "2G"}}], '
        '"monitoringConfiguration": {"cloudWatchMonitoringConfiguration": {"logGroupName": "%s", "logStreamNamePrefix": "pi"}, '
        '"persistentAppUI":"ENABLED", "s3MonitoringConfiguration": {"logUri": "s3://%s"}}}' % (GROUP, BUCKET))
    run = started["id"]
    assert len(run) == 19 and started["virtualClusterId"] == ember.virtual_cluster and started["name"] == "pi-job"
    assert started["arn"].endswith("/virtualclusters/%s/jobruns/%s" % (ember.virtual_cluster, run))

    wait_executor_running(ember, run)
    wait_archives(ember, run)
    seen = ember.kubectl("get", "pods,svc", "-n", NAMESPACE)
    assert re.search(r"^pod/spark-%s-driver +1/1 +Running " % run, seen, re.M), seen
    assert re.search(r"^pod/\S+-exec-1 +[01]/1 ", seen, re.M), seen
    assert re.search(r"^service/spark-%s-[0-9a-f]{16}-driver-svc +ClusterIP +None +<none> +7078/TCP,7079/TCP,4040/TCP " % run, seen, re.M), seen
    assert ember.describe(run)["state"] == "RUNNING"
    commands = [words for _, words in pod_processes(ember, run) if "java " in words]
    assert commands and not any("authenticate.secret" in c for c in commands)

    done = finish(ember, run)
    assert done["finishedAt"] > done["createdAt"] and re.match(r"JobRun completed successfully. It ran for \d+ Seconds", done["stateDetails"])
    assert PI.search(ember.s3_log(run)), ember.s3_log(run)
    assert any(PI.search(line) for line in ember.cloudwatch_log(run))
    assert "Running Spark version 3.5.9" in ember.s3_log(run, "stderr")
    executor, = executor_pods(ember, run)
    assert re.fullmatch(r"\S+-exec-1", executor)
    words = ember.s3_log(run, "stderr", executor)
    assert "Finished task 0.0 in stage 0.0" in words
    assert "\n".join(ember.cloudwatch_log(run, "stderr", executor)).splitlines() == words.splitlines()
    assert "Release emr-6.2.0-latest has Spark 3.0.1, which is not installed here: the job runs on Spark 3.5.9." in control_log(ember, run)
    ember.wait_reaped(run)


def test_a_jar_with_two_executors_of_two_cores(ember):
    request = ember.request("20", entry_point=EXAMPLES, parameters=small(
        2, "--class org.apache.spark.examples.SparkPi --conf spark.executor.cores=2 --conf spark.scheduler.minRegisteredResourcesRatio=1.0"))
    request.update(releaseLabel="emr-7.5.0-latest", name="spark-pi", clientToken="spark-pi")
    path = ember.folder / "request.json"
    path.write_text(json.dumps(request))
    run = ember.aws("emr-containers", "start-job-run", "--cli-input-json", "file://%s" % path)["id"]
    wait_executor_running(ember, run)
    wait_archives(ember, run) # another collector than with one core
    finish(ember, run)
    assert PI.search(ember.s3_log(run)), ember.s3_log(run)
    executors = executor_pods(ember, run)
    assert [e.rsplit("-", 1)[1] for e in executors] == ["1", "2"]
    for executor in executors:
        words = ember.s3_log(run, "stderr", executor)
        assert "Starting executor with resource profile" in words or "Starting executor ID" in words
        assert re.search(r"Running task \d+\.0 in stage 0\.0", words), words[-2000:]
    assert "Release emr-7.5.0-latest has Spark 3.5.2, which is not installed here: the job runs on Spark 3.5.9." in control_log(ember, run)
    assert ember.aws("emr-containers", "start-job-run", "--cli-input-json", "file://%s" % path)["id"] == run # same token, same run


def test_python_from_s3_with_modules_and_classifications(ember):
    modules = io.BytesIO()
    with zipfile.ZipFile(modules, "w") as z:
        z.writestr("shouting/__init__.py", "def shout(text):\n    return text.upper() + '!'\n")
    library = put(ember, "jobs/shouting.zip", modules.getvalue())
    extra = put(ember, "jobs/extra.py", "ANSWER = 42\n")
    script = put(ember, "jobs/my job.py", """
import os, sys
from pyspark.sql import SparkSession
from extra import ANSWER
from shouting import shout

def look(word):
    from extra import ANSWER
    return "executor %s %s %d %s" % (shout(word), os.environ.get("MY_PLACE"), ANSWER, os.environ.get("MY_QUOTED"))

spark = SparkSession.builder.getOrCreate()
for line in sorted(spark.sparkContext.parallelize(sys.argv[1:], 2).map(look).collect()):
    print(line)
print("driver", shout("x"), os.environ["MY_PLACE"], spark.conf.get("spark.my.own"), spark.conf.get("spark.sql.shuffle.partitions"), spark.sparkContext.appName)
print(spark.range(10).selectExpr("sum(id)").collect()[0][0])
""")
    overrides = {"applicationConfiguration": [
        {"classification": "spark-defaults", "properties": {"spark.my.own": "from defaults", "spark.sql.shuffle.partitions": "3"}},
        {"classification": "spark-env", "properties": {}, "configurations": [
            {"classification": "export", "properties": {"MY_PLACE": "here and there", "MY_QUOTED": "\"in quotes\""}}]},
        {"classification": "spark-log4j2", "properties": {"rootLogger.level": "warn", "logger.dag.name": "org.apache.spark.scheduler.DAGScheduler",
                                                          "logger.dag.level": "info"}}]}
    run = ember.submit("a", "b c", "--name=d", entry_point=script, overrides=overrides, parameters=small(
        1, "--py-files", library + "," + extra, "--conf spark.sql.shuffle.partitions=2"))
    finish(ember, run)
    out = ember.s3_log(run).splitlines()
    assert out == ["executor --NAME=D! here and there 42 in quotes", "executor A! here and there 42 in quotes",
                   "executor B C! here and there 42 in quotes", "driver X! here and there from defaults 2 my_job.py", "45"], out
    err = ember.s3_log(run, "stderr")
    assert re.search(r" INFO DAGScheduler: ", err), err[-3000:]
    assert not re.search(r" INFO (?!DAGScheduler)", err), err[-3000:]


def test_templates_a_properties_file_and_sites_reach_driver_and_executors(ember):
    template = """
metadata: {labels: {team: pets}}
spec:
  volumes: [{name: room, emptyDir: {}}]
  containers:
  - name: spark-kubernetes-%s
    env: [{name: OF_TEMPLATE, value: %s's}]
    volumeMounts: [{name: room, mountPath: /room}]
"""
    driver, executor = (put(ember, "templates/%s.yaml" % who, template % (who, who)) for who in ("driver", "executor"))
    properties = put(ember, "jobs/some.conf", "spark.my.own   of the file\nspark.sql.shuffle.partitions=5\n")
    script = put(ember, "jobs/configured.py", """
import os
from pyspark.sql import SparkSession

def look(_):
    open("/room/x", "w").write("room")
    return os.environ.get("OF_TEMPLATE"), open("/room/x").read(), os.environ.get("MINE")

spark = SparkSession.builder.config("spark.sql.shuffle.partitions", "7").getOrCreate()
print(look(0), *spark.sparkContext.parallelize([1], 1).map(look).collect())
hadoop = spark.sparkContext._jsc.hadoopConfiguration()
print(spark.conf.get("spark.my.own"), spark.conf.get("spark.sql.shuffle.partitions"), hadoop.get("my.site"), hadoop.get("fs.s3a.threads.max"))
""")
    overrides = {"applicationConfiguration": [
        {"classification": "spark-defaults", "properties": {"spark.kubernetes.driver.podTemplateFile": driver, "spark.kubernetes.executor.podTemplateFile": executor,
                                                            "spark.my.own": "of defaults", "spark.executorEnv.MINE": "particular"}},
        {"classification": "spark-env", "configurations": [{"classification": "export", "properties": {"MINE": "exported"}}]},
        {"classification": "core-site", "properties": {"my.site": "of core-site"}}, {"classification": "emrfs-site", "properties": {"fs.s3.threadpool.maxSize": "11"}}]}
    run = ember.submit(entry_point=script, overrides=overrides, parameters=small(1, "--properties-file", properties))
    finish(ember, run)
    assert ember.s3_log(run).splitlines() == ["(\"driver's\", 'room', 'exported') (\"executor's\", 'room', 'particular')",
                                              "of the file 7 of core-site 11"], ember.s3_log(run)


def test_a_jar_from_s3_whose_task_throws(ember):
    jar = put(ember, "jobs/my.jar", (ROOT / ".deps/jars/spark-examples.jar").read_bytes())
    run = ember.submit("executor", "no such table: pets", entry_point=jar,
                       parameters=small(1, "--class org.apache.spark.examples.ThrowingJob --conf spark.task.maxFailures=1"))
    done = finish(ember, run, "FAILED")
    assert done["failureReason"] == "USER_ERROR" and "java.lang.IllegalStateException: no such table: pets" in done["stateDetails"], done
    assert "IllegalStateException: no such table: pets" in ember.s3_log(run, "stderr", executor_pods(ember, run)[0])
    ember.wait_reaped(run)


def test_a_sql_file_from_s3_with_variables(ember):
    sql = put(ember, "jobs/query.sql", """
-- a comment
create temporary view pets as select * from values ('cat', 4), ('bird', 2), ('fish', 0) as t(name, legs);
select '${hivevar:word}', count(*), sum(legs) from pets where legs > ${hivevar:least};
""")
    request = ember.request()
    request["jobDriver"] = {"sparkSqlJobDriver": {"entryPoint": sql, "sparkSqlParameters": small(1, "-hivevar word=hello -hivevar least=1")}}
    run = ember.emr.start_job_run(clientToken="sql", **request)["id"]
    finish(ember, run)
    assert re.search(r"^hello\t2\t6$", ember.s3_log(run), re.M), ember.s3_log(run)


def test_a_failing_script_says_why(ember):
    script = put(ember, "jobs/failing.py", "def work():\n    raise ValueError('no column named legs')\n\nprint('before', flush=True)\nwork()\n")
    run = ember.submit(entry_point=script, parameters=small())
    done = finish(ember, run, "FAILED")
    assert done["failureReason"] == "USER_ERROR" and "ValueError: no column named legs" in done["stateDetails"], done
    out = ember.s3_log(run) # Spark lets a Python driver write both into one
    assert out.startswith("before\nTraceback") and "line 2, in work" in out, out


def test_a_driver_that_needs_more_memory_than_it_has(ember):
    script = put(ember, "jobs/greedy.py", "print('begin', flush=True)\nkeep = bytearray(3 << 30)\nfor i in range(0, len(keep), 4096): keep[i] = 1\nprint('end')\n")
    run = ember.submit(entry_point=script, parameters=small())
    done = finish(ember, run, "FAILED")
    assert "OOMKilled" in done["stateDetails"], done
    assert ember.s3_log(run) == "begin\n"


def test_a_killed_driver_takes_its_executor_along(ember):
    run = ember.submit("600", entry_point=EXAMPLES, parameters=small(1, "--class org.apache.spark.examples.SleepingJob"))
    wait_executor_running(ember, run)
    driver, = [pid for pid, words in pod_processes(ember, run) if "org.apache.spark.deploy.SparkSubmit" in words]
    os.kill(driver, signal.SIGKILL)
    done = finish(ember, run, "FAILED")
    assert "137" in done["stateDetails"], done
    ember.wait_reaped(run)
    assert not pods(ember, run, "executor")
    wait_for(lambda: not pod_processes(ember, run), "the processes to end")


def test_a_cancelled_run_leaves_no_process(ember):
    run = ember.submit("600", entry_point=EXAMPLES, parameters=small(1, "--class org.apache.spark.examples.SleepingJob"))
    wait_executor_running(ember, run)
    wait_for(lambda: len(pod_processes(ember, run)) == 2, "driver and executor to run", JOB_S)
    asked = time.monotonic()
    assert ember.aws("emr-containers", "cancel-job-run", "--virtual-cluster-id", ember.virtual_cluster, "--id", run)["id"] == run
    finish(ember, run, "CANCELLED")
    assert time.monotonic() - asked < 60
    ember.wait_reaped(run, 60)
    wait_for(lambda: not pod_processes(ember, run), "the processes to end")
    assert "SparkContext" in ember.s3_log(run, "stderr")


@pytest.mark.skipif(not (SPARK / "4.3.0").is_dir(), reason="Spark 4.3.0 is not installed: tools/setup/setup spark-4.3.0")
def test_spark_4(ember):
    request = dict(ember.request(entry_point="local:///usr/lib/spark/examples/src/main/python/pi.py", parameters=small()), releaseLabel="emr-spark-8.1.0")
    run = ember.emr.start_job_run(clientToken="four", **request)["id"]
    finish(ember, run)
    assert PI.search(ember.s3_log(run)) and "Running Spark version 4.3.0" in ember.s3_log(run, "stderr")
    assert len(executor_pods(ember, run)) == 1
