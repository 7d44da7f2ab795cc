"""Each classification, the precedence of what configures a run, and pod templates: what real Spark's driver and executors have of it."""
import io, json, re, tarfile

import pytest

from spark_jobs import SPARK, control_log, executor_pods, finish, needs_spark, pods, put, small, spark_daemon, wait_executor_running

pytestmark = needs_spark

TEMPLATE = """
metadata: {labels: {team: pets, role: %(who)s}, annotations: {pets.example/kind: cat}}
spec:
  volumes: [{name: room, emptyDir: {}}]
  containers:
  - name: spark-kubernetes-%(who)s
    env: [{name: OF_TEMPLATE, value: %(who)s's}]
    volumeMounts: [{name: room, mountPath: /room}]
  - {name: helper, image: "ember/spark:%(version)s", command: [sh, -c, "echo I help the %(who)s > /room/note; exec sleep 600"], volumeMounts: [{name: room, mountPath: /room}]}
"""

# What driver and executor find, as one line of JSON.
SCRIPT = r"""
import json, os, sys, time
from pyspark import SparkFiles
from pyspark.sql import SparkSession

def look(_):
    while not os.path.exists("/room/note"):
        time.sleep(0.05)
    return {"env": dict(os.environ), "note": open("/room/note").read(), "files": [open(path).read() for path in (
        SparkFiles.get("words.txt"), "words.txt", SparkFiles.get("pets") + "/cats/names", "pets/cats/names")]}

def java_above(pid): # the daemon of Python workers is between
    words = open("/proc/%d/cmdline" % pid).read().split("\0")
    return words if words[0].endswith("java") else java_above(int(open("/proc/%d/stat" % pid).read().rsplit(")")[-1].split()[1]))

spark = SparkSession.builder.config("spark.my.code", "of the code").config("spark.sql.shuffle.partitions", "7").getOrCreate()
sc = spark.sparkContext
hadoop = sc._jsc.hadoopConfiguration()
property = lambda name: sc._jvm.System.getProperty(name)
print("said " + json.dumps({
    "version": spark.version, "driver": look(0), "executor": sc.parallelize([1], 1).map(look).collect()[0], "arguments": sys.argv[1:], "conf": dict(sc.getConf().getAll()),
    "hadoop": {name: hadoop.get(name) for name in ("my.site", "my.second", "fs.s3a.threads.max", "my.hadoop")},
    "java": {name: property(name) for name in ("pets.driver", "user.timezone")}, "partitions": spark.conf.get("spark.sql.shuffle.partitions"),
    "executor.java": sc.parallelize([1], 1).map(lambda _: java_above(os.getpid())).collect()[0],
    "warehouse": spark.sql("describe database default").where("info_name = 'Location'").collect()[0][1]}))
"""
ARGUMENTS = ["plain", "two words", "$(SPARK_USER) and $HOME", "5$$", '{"list": [1, 2], "of": {"a": null}}', "--class=x", "-v", "it's \"quoted\"", "a\\b", "line\nbreak", "Zürich 東京 🐈"]


@pytest.fixture(scope="module")
def ember(folder):
    with spark_daemon(folder) as daemon:
        yield daemon


def tar_of(name, content, mode=0o644):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), mode
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


RELEASES = {"3.5.9": "emr-7.12.0-latest", "4.3.0": "emr-spark-8.1.0-latest"}


@pytest.fixture(scope="module", params=RELEASES)
def configured(ember, request):
    """One run with everything at once, as it ended: its id, what its script said, its pods while they ran."""
    version = request.param
    if not (SPARK / version).is_dir():
        pytest.skip("Spark %s is not installed: tools/setup/setup spark-%s" % (version, version))
    properties = put(ember, "conf/some.conf", "# mine\nspark.my.file   of the file\nspark.my.argument=of the file\nspark.my.code: of the file\nspark.my.long one \\\n   two\n")
    templates = {who: put(ember, "templates/%s.yaml" % who, TEMPLATE % {"who": who, "version": version}) for who in ("driver", "executor")}
    words, archive = put(ember, "jobs/words.txt", "miaow"), put(ember, "jobs/pets.tar.gz", tar_of("cats/names", b"Minz"))
    low = {name: "of defaults" for name in ("spark.my.defaults", "spark.my.file", "spark.my.argument", "spark.my.code")}
    overrides = {"applicationConfiguration": [
        {"classification": "spark-defaults", "properties": {
            **low, **{"spark.kubernetes.%s.podTemplateFile" % who: uri for who, uri in templates.items()}, "spark.executorEnv.MINE": "particular",
            "spark.driver.extraJavaOptions": "-Dpets.driver='two cats' -Duser.timezone=Asia/Tokyo", "spark.executor.extraJavaOptions": "-Dpets.executor=yes",
            "spark.hadoop.my.hadoop": "of spark.hadoop", "spark.hadoop.my.second": "of spark.hadoop", "spark.sql.shuffle.partitions": "3", "spark.my.password": "hidden"}},
        {"classification": "spark-defaults", "properties": {"spark.my.defaults": "of the second defaults"}},
        {"classification": "spark-env", "properties": {}, "configurations": [{"classification": "export", "properties": {
            "MINE": "exported", "MY_LIST": '"a:b c"', "PYTHONHASHSEED": "7"}}]},
        {"classification": "spark-log4j2", "properties": {
            "rootLogger.level": "warn", "appender.console.layout.pattern": "PETS %p %c: %m%n%ex", "logger.tasks.name": "org.apache.spark.executor.Executor", "logger.tasks.level": "info",
            "logger.dag.name": "org.apache.spark.scheduler.DAGScheduler", "logger.dag.level": "info"}},
        {"classification": "spark-metrics", "properties": {"*.sink.console.class": "org.apache.spark.metrics.sink.ConsoleSink", "*.sink.console.period": "600",
                                                           "driver.source.jvm.class": "org.apache.spark.metrics.source.JvmSource"}},
        {"classification": "spark-hive-site", "properties": {"hive.metastore.warehouse.dir": "/tmp/house of pets"}},
        {"classification": "core-site", "properties": {"my.site": "of core-site <&>", "my.second": "of core-site"}},
        {"classification": "emrfs-site", "properties": {"fs.s3.threadpool.maxSize": "11"}},
        {"classification": "emr-containers-defaults", "properties": {"job-start-timeout": "700"}}]}
    wish = ember.request(*ARGUMENTS, entry_point=put(ember, "jobs/configured.py", SCRIPT), overrides=overrides, parameters=small(
        1, "--properties-file", properties, "--verbose --deploy-mode cluster --files", words, "--archives", archive + "#pets", '--conf spark.my.argument=argument --conf "spark.my.space=two  words" \\\n',
        "--name 'All of it'"))
    run = ember.emr.start_job_run(**{**wish, "releaseLabel": RELEASES[version]})["id"]
    wait_executor_running(ember, run)
    found = {who: pods(ember, run, who)[0] for who in ("driver", "executor")}
    finish(ember, run)
    text = ember.s3_log(run)
    said = [line for line in text.splitlines() if line.startswith("said ")]
    assert len(said) == 1, text[-3000:]
    said = json.loads(said[0][5:])
    assert said["version"] == version
    return run, said, found


def test_templates_reach_driver_and_executor(ember, configured):
    run, said, found = configured
    for who, pod in found.items():
        assert said[who]["env"]["OF_TEMPLATE"] == who + "'s" and said[who]["note"] == "I help the %s\n" % who
        assert (pod["metadata"]["labels"]["team"], pod["metadata"]["labels"]["role"], pod["metadata"]["annotations"]["pets.example/kind"]) == ("pets", who, "cat")
        assert {c["name"] for c in pod["spec"]["containers"]} == {"helper", "spark-kubernetes-" + who}
    ember.wait_reaped(run) # the helpers do not keep it


def test_spark_env_reaches_both_and_what_is_more_particular_wins(configured):
    _, said, _ = configured
    for who, mine in (("driver", "exported"), ("executor", "particular")):
        env = said[who]["env"]
        assert (env["MINE"], env["MY_LIST"], env["PYTHONHASHSEED"]) == (mine, "a:b c", "7"), env


def test_the_higher_source_wins_in_the_running_conf(configured):
    _, said, _ = configured
    conf = said["conf"]
    assert {k: conf[k] for k in conf if k.startswith("spark.my.")} == {
        "spark.my.defaults": "of the second defaults", "spark.my.file": "of the file", "spark.my.argument": "argument", "spark.my.code": "of the code",
        "spark.my.long": "one two", "spark.my.space": "two  words", "spark.my.password": "hidden"}
    assert said["partitions"] == "7" and conf["spark.app.name"] == "All of it"


def test_the_effective_configuration_is_what_spark_runs_with(ember, configured):
    run, said, _ = configured
    shown = json.loads(ember.ember("jobs", "show", run, "--effective", "--output", "json").stdout)
    rows = {c["classification"]: {p["name"]: p for p in c["properties"]} for c in shown["configurations"]}
    running, told = said["conf"], rows["spark-defaults"]
    assert told.pop("spark.my.password")["value"] == "*********(redacted)"
    assert told.pop("spark.my.code")["value"] == "of the file" and told.pop("spark.sql.shuffle.partitions")["value"] == "3" # what the code sets is not known before
    # The driver puts its own options of Java in front, writes URIs anew, and is itself submitted as a client.
    kept = lambda name, value: running.get(name, "none").replace("file:/", "file:///").endswith(value)
    own = {"spark.app.submitTime", "spark.submit.deployMode"} | ({"spark.driver.host", "spark.files"} if said["version"] >= "4" else set())
    assert {name for name, row in told.items() if not kept(name, row["value"])} == own
    assert {n: told[n]["source"] for n in ("spark.my.argument", "spark.my.file", "spark.my.defaults", "spark.executor.cores", "spark.executorEnv.MY_LIST", "spark.app.name")} == {
        "spark.my.argument": "conf-argument", "spark.my.file": "properties-file", "spark.my.defaults": "application-configuration", "spark.executor.cores": "release-default",
        "spark.executorEnv.MY_LIST": "application-configuration", "spark.app.name": "option"}
    assert rows["emr-containers-defaults"]["job-start-timeout"]["value"] == "700" and rows["core-site"]["my.site"]["value"] == "of core-site <&>"


def test_sites_are_read_by_hadoop_and_hive(configured):
    _, said, _ = configured
    assert said["hadoop"] == {"my.site": "of core-site <&>", "my.second": "of spark.hadoop", "fs.s3a.threads.max": "11", "my.hadoop": "of spark.hadoop"}
    assert said["warehouse"].replace("%20", " ") == "file:/tmp/house of pets"


def test_loggers_of_driver_and_executor_change_level_and_pattern(ember, configured):
    run, _, _ = configured
    driver, executor = ember.s3_log(run, "stderr"), ember.s3_log(run, "stderr", executor_pods(ember, run)[0])
    assert re.search(r"^PETS INFO org\.apache\.spark\.scheduler\.DAGScheduler: ", driver, re.M), driver
    assert re.search(r"^PETS INFO org\.apache\.spark\.executor\.Executor: ", executor, re.M), executor
    for text in (driver, executor):
        assert not re.search(r"^\d\d/\d\d/\d\d ", text, re.M) and not re.search(r"INFO (?!org\.apache\.spark\.(scheduler\.DAGScheduler|executor\.Executor))", text), text


def test_a_sink_of_metrics_writes_in_driver_and_executor(ember, configured):
    run, _, _ = configured
    driver, executor = ember.s3_log(run), ember.s3_log(run, "stdout", executor_pods(ember, run)[0])
    assert re.search(r"^-- Gauges -+$", driver, re.M) and "spark-%s.driver.jvm.heap.used" % run in driver, driver[-3000:]
    assert "spark-%s.1.executor.threadpool.completeTasks" % run in executor, executor[-3000:]


def test_options_of_the_jvms(configured):
    _, said, _ = configured
    assert said["java"] == {"pets.driver": "two cats", "user.timezone": "Asia/Tokyo"} and "-Dpets.executor=yes" in said["executor.java"]


def test_arguments_files_and_archives_arrive_unchanged(configured):
    _, said, _ = configured
    assert said["arguments"] == ARGUMENTS
    for who in ("driver", "executor"):
        assert said[who]["files"] == ["miaow", "miaow", "Minz", "Minz"], who


def test_what_has_no_effect_is_told(ember, configured):
    assert "emrfs-site: fs.s3.threadpool.maxSize becomes fs.s3a.threads.max of S3A." in control_log(ember, configured[0])


OLD = r"""
import csv, glob, json, os, time
from pyspark.sql import SparkSession

def written(place, name):
    for _ in range(600):
        files = [f for f in glob.glob("/tmp/*" + name) if len(open(f).readlines()) > 1]
        if files:
            return place, list(csv.DictReader(open(files[0])))[-1]["value"]
        time.sleep(0.1)
    return place, "nothing of " + name + " in " + " ".join(os.listdir("/tmp"))

spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext
where = lambda n: (time.sleep(3), os.environ["SPARK_EXECUTOR_ID"])[1]
executors = set()
for _ in range(60): # until the second has come
    executors |= set(sc.parallelize(range(4), 4).map(where).collect())
    if len(executors) == 2:
        break
print(json.dumps({"metrics": [written("driver", "driver.DAGScheduler.job.allJobs.csv"),
                              sc.parallelize([1], 1).map(lambda _: written("executor", "executor.threadpool.maxPool_size.csv")).collect()[0]],
                  "executors": sorted(executors), "python": [os.environ.get("OF_PACK"), sc.parallelize([1], 1).map(lambda _: os.environ.get("OF_PACK")).collect()[0]]}))
"""


def test_log4j_1_names_csv_metrics_a_packed_python_and_executors_by_demand(ember):
    pack = put(ember, "jobs/pack.tar.gz", tar_of("bin/python", b"#!/bin/sh\nOF_PACK=yes exec /usr/bin/python3 \"$@\"\n", 0o755))
    overrides = {"applicationConfiguration": [
        {"classification": "spark-log4j", "properties": {"log4j.rootCategory": "ERROR, console", "log4j.logger.org.apache.spark.scheduler.DAGScheduler": "INFO",
                                                         "log4j.logger.org.apache.spark.executor.CoarseGrainedExecutorBackend": "INFO"}},
        {"classification": "spark-metrics", "properties": {"*.sink.csv.class": "org.apache.spark.metrics.sink.CsvSink", "*.sink.csv.period": "1",
                                                           "*.sink.csv.unit": "seconds", "*.sink.csv.directory": "/tmp"}},
        {"classification": "spark-defaults", "properties": {"spark.dynamicAllocation.enabled": "true", "spark.dynamicAllocation.shuffleTracking.enabled": "true",
                                                            "spark.archives": pack + "#environment", "spark.pyspark.python": "./environment/bin/python", "spark.dynamicAllocation.maxExecutors": "2", "spark.dynamicAllocation.initialExecutors": "1"}}]}
    run = ember.submit(entry_point=put(ember, "jobs/old.py", OLD), overrides=overrides, parameters="--driver-memory 512m --executor-memory 512m")
    finish(ember, run)
    said = json.loads(ember.s3_log(run))
    assert [place for place, value in said["metrics"] if float(value) >= 1] == ["driver", "executor"] and said["executors"] == ["1", "2"], said
    assert said["python"] == ["yes", "yes"]
    driver, executor = ember.s3_log(run, "stderr"), ember.s3_log(run, "stderr", executor_pods(ember, run)[0])
    assert " INFO DAGScheduler: " in driver and not re.search(r" (WARN|INFO (?!DAGScheduler))", driver), driver
    assert " INFO CoarseGrainedExecutorBackend: " in executor and not re.search(r" (WARN|INFO (?!CoarseGrained))", executor), executor
