"""Real Spark with side cars as EMR's guide has them, and its logs in objects of a size."""
import gzip, json, re

import pytest

from jobs import BUCKET
from spark_jobs import executor_pods, finish, needs_spark, put, small, spark_daemon

pytestmark = needs_spark

# Ends when the sign of life is older than five seconds, as the guide's example does, and says so where the main container's volumes are.
TEMPLATE = """
spec:
  containers:
  - name: spark-kubernetes-%s
  - name: watcher
    image: ember/spark:3.5.9
    command: [sh, -c]
    args:
    - |
      until [ -f /var/log/fluentd/main-container-terminated ]; do sleep 0.2; done
      echo began > /mnt/watcher
      while [ $(( $(date +%%s) - $(stat -c %%Y /var/log/fluentd/main-container-terminated) )) -lt 5 ]; do sleep 1; done
    volumeMounts:
    - {name: emr-container-communicate, mountPath: /var/log/fluentd, readOnly: true}
    - {name: emr-container-application-log-dir, mountPath: /var/log/spark/user}
    - {name: emr-container-event-log-dir, mountPath: /var/log/spark/apps}
    - {name: temp-data-dir, mountPath: /tmp}
    - {name: mnt-dir, mountPath: /mnt}
    - {name: home-dir, mountPath: /home/hadoop}
"""

SCRIPT = r"""
import json, os, socket, time
from pyspark.sql import SparkSession
def look(_):
    while not os.path.exists("/mnt/watcher"):
        time.sleep(0.1)
    pod = os.listdir("/var/log/spark/user")
    return {"pods": pod, "signal": os.environ["SIDECAR_SIGNAL_FILE"], "age": time.time() - os.stat(os.environ["SIDECAR_SIGNAL_FILE"]).st_mtime,
            "stderr": os.path.getsize("/var/log/spark/user/%s/stderr" % pod[0]), "events": os.listdir("/var/log/spark/apps")}
spark = SparkSession.builder.getOrCreate()
print("said " + json.dumps({"driver": look(0), "executor": spark.sparkContext.parallelize([1], 1).map(look).collect()[0]}))
for i in range(3000):
    print("line %d of a log that is longer than one object" % i)
"""


@pytest.fixture(scope="module")
def ember(folder):
    with spark_daemon(folder) as daemon:
        yield daemon


@pytest.mark.parametrize("logging", ["ENABLED", "DISABLED"])
def test_side_cars_of_both_and_a_rotated_log(ember, logging):
    run = ember.submit(entry_point=put(ember, "logs/job.py", SCRIPT), parameters=small(1),
                       monitoring={"s3MonitoringConfiguration": {"logUri": "s3://" + BUCKET}, "containerLogRotationConfiguration": {"rotationSize": "16KB", "maxFilesToKeep": 2}},
                       overrides={"applicationConfiguration": [
                           {"classification": "spark-defaults", "properties": {"spark.kubernetes.%s.podTemplateFile" % who: put(ember, "logs/%s.yaml" % who, TEMPLATE % who)
                                                                               for who in ("driver", "executor")}},
                           {"classification": "emr-containers-defaults", "properties": {"executor.logging": logging}}]})
    finish(ember, run)
    s3, prefix = ember.client("s3"), "%s/jobs/%s/containers/spark-%s/spark-%s-driver/" % (ember.virtual_cluster, run, run, run)
    texts = {}
    for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]:
        stream, _, index = re.fullmatch(r"(stdout|stderr)(_\d{8}_(\d+))?\.gz", item["Key"][len(prefix):]).groups()
        text = gzip.decompress(s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()).decode()
        assert len(text.encode()) <= 16 << 10
        texts.setdefault(stream, {})[int(index) if index else 1 << 40] = text
    out, err = ("".join(text for _, text in sorted(texts[stream].items())) for stream in ("stdout", "stderr"))
    assert [line for line in out.splitlines() if line.startswith("line ")] == ["line %d of a log that is longer than one object" % i for i in range(3000)]
    assert len(texts["stdout"]) > 8 and "SparkContext: Running Spark version 3.5.9" in err
    said = json.loads(next(line for line in out.splitlines() if line.startswith("said "))[5:])
    for who in ("driver", "executor"):
        assert said[who]["signal"] == "/var/log/fluentd/main-container-terminated" and said[who]["age"] < 30, said
        assert said[who]["stderr"] > 0, said
    assert said["driver"]["pods"] == ["spark-%s-driver" % run] and said["driver"]["events"] == ["spark-%s.inprogress" % run], said
    names = executor_pods(ember, run)
    assert (len(names), said["executor"]["pods"]) == ((1, names) if logging == "ENABLED" else (0, said["executor"]["pods"]))
    ember.wait_reaped(run)
