"""Real Spark in the embedded cluster, driven by the real clients. A run costs some 10 s of CPU, so each one answers several questions."""
import contextlib, io, json, pathlib, re, zipfile

import pytest

from ember import EMBERD, wait_for
from jobs import BUCKET, GROUP, NAMESPACE, ROLE
from spark_jobs import (EXAMPLES, JOB_S, PI, control_log, executor_pods, finish, needs_spark, pod_processes, put, small, spark_daemon,
                        wait_executor_running)

pytestmark = needs_spark


@pytest.fixture(scope="module")
def ember(folder):
    with spark_daemon(folder) as daemon:
        yield daemon


def wait_archives(ember, run):
    """The JVMs of driver and executor have mapped the class data archives, if there are any for this daemon: it looks from its folder upwards."""
    if not any((folder / ".deps/archives/3.5.9/stamp").exists() for folder in EMBERD.resolve().parents):
        return
    def mapped(name):
        for pid, words in pod_processes(ember, run):
            with contextlib.suppress(OSError):
                if "/opt/ember/archives/%s.jsa" % name in pathlib.Path("/proc/%d/maps" % pid).read_text():
                    return True
        return False
    for name in ("driver", "executor"):
        wait_for(lambda: mapped(name), "the archive of the %s to be used" % name, JOB_S)


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
        1, "--py-files", ",".join((library, extra, library)), "--files", extra + "," + extra, # twice is once
        "--conf spark.sql.shuffle.partitions=2"))
    finish(ember, run)
    out = ember.s3_log(run).splitlines()
    assert out == ["executor --NAME=D! here and there 42 in quotes", "executor A! here and there 42 in quotes",
                   "executor B C! here and there 42 in quotes", "driver X! here and there from defaults 2 my_job.py", "45"], out
    err = ember.s3_log(run, "stderr")
    assert re.search(r" INFO DAGScheduler: ", err), err[-3000:]
    assert not re.search(r" INFO (?!DAGScheduler)", err), err[-3000:]


def test_a_sql_file_from_s3_with_variables_and_a_warehouse(ember):
    sql = put(ember, "jobs/query.sql", """
-- a comment
create temporary view pets as select * from values ('cat', 4), ('bird', 2), ('fish', 0) as t(name, legs);
select '${hivevar:word}', count(*), sum(legs) from pets where legs > ${hivevar:least};
select '${hiveconf:my.place}', '${word}; and';
set spark.sql.shuffle.partitions;
set my.other;
describe database default;
create table kept (name string) stored as parquet;
show tables;
""")
    request = ember.request(overrides={"applicationConfiguration": [
        {"classification": "spark-hive-site", "properties": {"hive.metastore.warehouse.dir": "/tmp/house",
                                                             "javax.jdo.option.ConnectionURL": "jdbc:derby:memory:pets;create=true"}},
        {"classification": "spark-defaults", "properties": {"spark.sql.shuffle.partitions": "3"}}]})
    request["jobDriver"] = {"sparkSqlJobDriver": {"entryPoint": sql, "sparkSqlParameters": small(
        1, "-hivevar word=hello -hivevar least=1 -hiveconf my.place=here --hiveconf 'my.other=a b' --num-executors 1 --name 'the pets'")}}
    run = ember.emr.start_job_run(clientToken="sql", **request)["id"]
    finish(ember, run)
    out = [re.split(r"\s*\t\s*", line.strip()) for line in ember.s3_log(run).splitlines()]
    for row in (["hello", "2", "6"], ["here", "hello; and"], ["spark.sql.shuffle.partitions", "3"], ["my.other", "a b"],
                ["Location", "file:/tmp/house"], ["kept"]):
        assert row in out, (row, out)


def test_a_template_whose_first_attempt_fails(ember):
    script = put(ember, "jobs/moody.py", """
import os, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
conf = spark.sparkContext.getConf()
pod = conf.get("spark.kubernetes.driver.pod.name")
rows = spark.sparkContext.parallelize(range(int(sys.argv[2])), 1).map(lambda n: os.environ["HOSTNAME"]).collect()
print(sys.argv[1], pod, conf.get("spark.my.word"), len(rows), flush=True)
if not pod.endswith("-2"):
    raise RuntimeError("not in the mood at " + pod)
""")
    template = ember.aws("emr-containers", "create-job-template", "--name", "moody", "--job-template-data", json.dumps({
        "executionRoleArn": "${Role}", "releaseLabel": "${Release}",
        "jobDriver": {"sparkSubmitJobDriver": {"entryPoint": "s3://${Bucket}/jobs/moody.py", "entryPointArguments": ["Hello ${Name}", "${Rows}"], "sparkSubmitParameters": small(1)}},
        "configurationOverrides": {
            "applicationConfiguration": [{"classification": "spark-defaults", "properties": {"spark.my.word": "${Word}"}}],
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://${Bucket}"}, "cloudWatchMonitoringConfiguration": {
                "logGroupName": GROUP, "logStreamNamePrefix": "pi"}}},
        "parameterConfiguration": {"Rows": {"type": "NUMBER", "defaultValue": "3"}, "Word": {"defaultValue": "a word"}, "Release": {"defaultValue": "emr-7.12.0-latest"}},
        "jobTags": {"team": "pets", "of": "${Name}"}}))["id"]
    run = ember.aws("emr-containers", "start-job-run", "--virtual-cluster-id", ember.virtual_cluster, "--job-template-id", template, "--job-template-parameters",
                    json.dumps({"Role": ROLE, "Bucket": BUCKET, "Name": "Minz", "Rows": "5"}), "--tags", "of=mine", "--retry-policy-configuration", "maxAttempts=3")["id"]
    done = finish(ember, run)
    assert done["retryPolicyExecution"] == {"currentAttemptCount": 2} and done["retryPolicyConfiguration"] == {"maxAttempts": 3}
    assert done["tags"] == {"team": "pets", "of": "mine"} and done["releaseLabel"] == "emr-7.12.0-latest"
    assert done["stateDetails"].startswith("JobRun completed successfully.") and "failureReason" not in done
    first, second = ("spark-%s-driver%s" % (run, suffix) for suffix in ("", "-2"))
    for pod in (first, second):
        said = "Hello Minz %s a word 5" % pod
        assert said in ember.s3_log(run, pod=pod).splitlines() and said in "\n".join(ember.cloudwatch_log(run, pod=pod)).splitlines()
        assert "Running Spark version 3.5.9" in ember.s3_log(run, "stderr", pod) and "Running Spark version 3.5.9" in "\n".join(ember.cloudwatch_log(run, "stderr", pod))
    assert "RuntimeError: not in the mood at " + first in ember.s3_log(run, pod=first) and "RuntimeError" not in ember.s3_log(run, pod=second)
    executors = executor_pods(ember, run) # each attempt has its own
    assert len(executors) == 2 and all("Finished task 0.0 in stage 0.0" in ember.s3_log(run, "stderr", name) for name in executors)
    ember.wait_reaped(run)


def test_ember_run_shows_what_a_script_prints_and_ends_as_it(ember, tmp_path):
    script = tmp_path / "count pets.py"
    script.write_text("""
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print("legs:", spark.createDataFrame([("cat", 4), ("bird", 2)], ["name", "legs"]).groupBy().sum("legs").collect()[0][0], sys.argv[1:])
sys.exit(7)
""")
    done = ember.ember("run", "--create", "--executors", "1", "--conf", "spark.executor.memory=512m", "--conf", "spark.driver.memory=512m", script, "--", "a b", ok=False, timeout=JOB_S)
    assert done.stdout == b"legs: 6 ['a b']\n", done
    assert done.returncode == 7, done
