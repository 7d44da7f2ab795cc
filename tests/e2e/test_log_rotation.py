"""containerLogRotationConfiguration and what else the monitoring configuration can ask for: sizes, order and wholeness of what is in S3, through a crash too."""
import gzip, re

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ember import running, wait_for
from jobs import BUCKET, GROUP, PREFIX, JobEmber


@pytest.fixture(scope="module")
def ember(folder):
    with running(JobEmber(folder)) as daemon:
        yield daemon.prepare()


def rotating(size, files=3, **more):
    return {"s3MonitoringConfiguration": {"logUri": "s3://" + BUCKET}, "containerLogRotationConfiguration": {"rotationSize": size, "maxFilesToKeep": files}, **more}


def objects(ember, run, stream="stdout", pod=None):
    """The rotated objects of a stream, oldest first, and the current one: (key's last part, text)."""
    s3 = ember.client("s3")
    prefix = "%s/jobs/%s/containers/spark-%s/%s/" % (ember.virtual_cluster, run, run, pod or "spark-%s-driver" % run)
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix + stream):
        for item in page.get("Contents", []):
            name = item["Key"][len(prefix):]
            rotated = re.fullmatch(stream + r"_(\d{8})_(\d+)\.gz", name)
            assert rotated or name == stream + ".gz", name
            found.append((int(rotated.group(2)) if rotated else 1 << 40, name, item["Key"], item["LastModified"]))
    return [(name, gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())) for _, name, key, _ in sorted(found)]


def indices(found):
    return [int(name.rsplit("_", 1)[1][:-3]) for name, _ in found[:-1]]


def test_a_log_of_megabytes_is_in_objects_of_the_size_and_whole(ember):
    run = ember.submit("sh=seq -f 'line %.0f of a log that is longer than one object' 1 60000", "err=short", monitoring=rotating("256KB", 2))
    ember.wait_state(run, "COMPLETED")
    want = b"".join(b"line %d of a log that is longer than one object\n" % i for i in range(1, 60001))
    found = objects(ember, run)
    assert len(found) == len(want) // (256 * 1024) + 1
    assert indices(found) == list(range(1, len(found)))
    assert all(len(text) <= 256 * 1024 and text.endswith(b"\n") for _, text in found)
    assert all(len(text) > 255 * 1024 for _, text in found[:-1])
    assert b"".join(text for _, text in found) == want
    assert objects(ember, run, "stderr") == [("stderr.gz", b"short\n")]


def test_rotations_are_seen_while_the_run_lives_and_a_crash_neither_loses_nor_doubles(ember):
    program = "i=0; while [ $i -lt 40 ]; do seq -f \"round $i line %.0f\" 1 4000; i=$((i + 1)); sleep 0.2; done"
    run = ember.submit("sh=" + program, monitoring=rotating("64K", 1, cloudWatchMonitoringConfiguration={"logGroupName": GROUP, "logStreamNamePrefix": PREFIX}))
    ember.wait_state(run, "RUNNING")
    wait_for(lambda: len(objects(ember, run)) > 3, "the first rotations")
    early = objects(ember, run)[:2]
    ember.kill()
    ember.start()
    wait_for(lambda: len(objects(ember, run)) > 12, "rotations after the crash")
    ember.kill()
    ember.start()
    ember.wait_state(run, "COMPLETED", timeout_s=600)
    want = ["round %d line %d" % (i, n) for i in range(40) for n in range(1, 4001)]
    found = objects(ember, run)
    assert found[:2] == early # what is full never changes
    assert indices(found) == list(range(1, len(found)))
    assert all(len(text) <= 64 * 1024 for _, text in found)
    assert b"".join(text for _, text in found).decode().splitlines() == want
    assert ember.cloudwatch_log(run) == want


def test_ember_logs_reads_a_rotated_log_whole(ember):
    run = ember.submit("sh=seq 1 3000", monitoring=rotating("2KB"))
    ember.wait_state(run, "COMPLETED")
    assert len(objects(ember, run)) > 6
    out = ember.ember("logs", run).stdout.decode()
    assert out == "".join("%d\n" % i for i in range(1, 3001)), out[:500]


def test_ember_logs_follows_a_log_that_is_rotated_under_it(ember):
    run = ember.submit("sh=i=0; while [ $i -lt 60 ]; do seq -f \"$i %.0f\" 1 400; i=$((i + 1)); sleep 0.2; done", monitoring=rotating("4KB", 1))
    ember.wait_state(run, "RUNNING")
    out = ember.ember("logs", "-f", run).stdout.decode()
    assert out.splitlines() == ["%d %d" % (i, n) for i in range(60) for n in range(1, 401)]
    assert len(objects(ember, run)) > 30


@pytest.mark.parametrize("monitoring, words", [
    (rotating("1KB"), "between 2KB and 2GB"), (rotating("3GB"), "between 2KB and 2GB"), (rotating("2049M"), "between 2KB and 2GB"),
    (rotating("1.5GB"), "without decimals"), (rotating("0MB"), "between 2KB and 2GB"), (rotating("9999999999G"), "between 2KB and 2GB"),
    (rotating("10"), "rotationSize"), (rotating("10TB"), "rotationSize"), (rotating("ten MB"), "rotationSize"), (rotating("-5MB"), "rotationSize"),
    (rotating("10 MB"), "rotationSize"), (rotating("10MB", 0), "maxFilesToKeep"), (rotating("10MB", 51), "maxFilesToKeep"),
    ({k: v for k, v in rotating("10MB").items() if k[0] == "c"}, "needs s3MonitoringConfiguration"),
    ({"containerLogRotationConfiguration": {"rotationSize": "10MB", "maxFilesToKeep": 1}, "cloudWatchMonitoringConfiguration": {"logGroupName": GROUP}}, "needs s3MonitoringConfiguration"),
])
def test_what_rotation_may_not_be(ember, monitoring, words):
    with pytest.raises(ClientError) as refused:
        unchecked = ember.client("emr-containers", config=Config(parameter_validation=False))
        unchecked.start_job_run(**ember.request(monitoring=monitoring))
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert words in refused.value.response["Error"]["Message"]


@pytest.mark.parametrize("size", ["2KB", "20K", "2Kb", "2048KB", "1500MB", "2GB"])
def test_sizes_that_are_fine_come_back_as_they_were_given(ember, size):
    given = rotating(size, 50, managedLogs={"allowAWSToRetainLogs": "ENABLED"})
    run = ember.submit("out=x", monitoring=given)
    got = ember.describe(run)["configurationOverrides"]["monitoringConfiguration"]
    assert {k: got[k] for k in given} == given
    ember.wait_state(run, "COMPLETED")
    assert objects(ember, run) == [("stdout.gz", b"x\n")]
