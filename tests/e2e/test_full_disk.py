"""A full disk: the data directory on a small file system. AWS's error, nothing half-written, and all goes on once there is space."""
import os, pathlib, subprocess, tempfile, time

import pytest
from botocore.exceptions import ClientError

from ember import EMBERD, wait_for
from jobs import FINAL, JobEmber

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")


class SmallDisk:
    def __init__(self, path):
        self.path, self.filler = pathlib.Path(path), pathlib.Path(path) / "filler"

    def fill(self):
        """To the last page."""
        with open(self.filler, "ab", buffering=0) as f:
            for size in (1 << 20, 4096):
                while True:
                    try:
                        if f.write(b"\0" * size) < size:
                            break
                    except OSError:
                        break

    def free(self):
        self.filler.unlink()


@pytest.fixture(scope="module")
def disk():
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        data = pathlib.Path(folder) / "data"
        data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "ember-small", data], check=True)
        try:
            yield SmallDisk(data)
        finally:
            wait_for(lambda: subprocess.run(["umount", data]).returncode == 0, "the last process to leave the disk")


@pytest.fixture(scope="module")
def ember(disk):
    daemon = JobEmber(disk.path.parent).start()
    try:
        yield daemon.prepare()
    finally:
        if daemon.process:
            daemon.stop()
        assert "AddressSanitizer" not in daemon.log_path.read_text() and "runtime error" not in daemon.log_path.read_text()
        assert '"event":"REQUEST_FAILED"' not in daemon.log_path.read_text() # it is told as STORAGE_FULL, and is no error of ours


def refused(function, **arguments):
    """The service's own 5xx: clients try again."""
    with pytest.raises(ClientError) as e:
        function(**arguments)
    response = e.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def until_refused(function, limit):
    """Pages of a file that are there already may take a few more."""
    for i in range(limit):
        try:
            function(i)
        except ClientError as e:
            return e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"]
    raise AssertionError("%d writes to a full disk went well" % limit)


def test_objects(ember, disk):
    s3 = ember.client("s3")
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="before", Body=b"before")
    disk.fill()
    try:
        assert refused(s3.put_object, Bucket="full", Key="big", Body=os.urandom(1 << 20)) == (503, "ServiceUnavailable")
        assert refused(s3.put_object, Bucket="full", Key="before", Body=os.urandom(1 << 20)) == (503, "ServiceUnavailable")
        assert s3.get_object(Bucket="full", Key="before")["Body"].read() == b"before"
        assert [o["Key"] for o in s3.list_objects_v2(Bucket="full")["Contents"]] == ["before"]
    finally:
        disk.free()
    s3.put_object(Bucket="full", Key="big", Body=b"x" * (1 << 20))
    assert s3.get_object(Bucket="full", Key="big")["Body"].read() == b"x" * (1 << 20)
    assert not list((ember.data_dir / "objects" / "tmp").iterdir())


def test_deleting_objects_makes_room(ember, disk):
    """The one way out that an S3 client has."""
    s3 = ember.client("s3")
    s3.put_object(Bucket="full", Key="large", Body=os.urandom(8 << 20))
    disk.fill()
    try:
        def delete():
            try:
                s3.delete_object(Bucket="full", Key="large")
                return True
            except ClientError:
                return False
        if not delete(): # its own row may need a page
            os.truncate(disk.filler, disk.filler.stat().st_size - (64 << 10))
            assert delete()
        wait_for(lambda: os.statvfs(disk.path).f_bavail * 4096 > 6 << 20, "the space of the object")
        s3.put_object(Bucket="full", Key="again", Body=b"x" * (1 << 20))
    finally:
        disk.free()


def test_the_databases(ember, disk):
    """Each write-ahead log meets the end of the disk, is refused, and goes on later."""
    logs, emr, s3 = ember.client("logs"), ember.emr, ember.client("s3")
    s3.create_bucket(Bucket="rows")
    logs.create_log_group(logGroupName="full")
    logs.create_log_stream(logGroupName="full", logStreamName="s")
    disk.fill()
    accepted, started = [], []
    try:
        def put(i):
            logs.put_log_events(logGroupName="full", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "%04d" % i + "x" * 20000}])
            accepted.append("%04d" % i)
        assert until_refused(put, 400) == (500, "ServiceUnavailableException") # the status of its model

        def start(i):
            started.append(emr.start_job_run(**ember.request("out=full", clientToken="full-%d" % i, tags={"k%d" % n: "v" * 200 for n in range(40)}))["id"])
        assert until_refused(start, 400) == (500, "InternalServerException")
        assert until_refused(lambda i: s3.put_object(Bucket="rows", Key="%d" % i + "k" * 900, Body=b""), 400)[0] == 503
        assert emr.describe_virtual_cluster(id=ember.virtual_cluster)["virtualCluster"]["state"] == "RUNNING"
        got = logs.get_log_events(logGroupName="full", logStreamName="s", startFromHead=True)["events"]
        assert [e["message"][:4] for e in got] == accepted[:len(got)]
    finally:
        disk.free()
    put(9999)
    got, token = [], None
    while True:
        page = logs.get_log_events(logGroupName="full", logStreamName="s", startFromHead=True, **({"nextToken": token} if token else {}))
        got += [e["message"][:4] for e in page["events"]]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    assert got == accepted
    listed = [r["id"] for p in emr.get_paginator("list_job_runs").paginate(virtualClusterId=ember.virtual_cluster) for r in p["jobRuns"]]
    assert sorted(listed) == sorted(started)
    for run in started:
        wait_for(lambda: ember.describe(run)["state"] in FINAL, "a run that was accepted to end")
    run = ember.submit("out=space again")
    ember.wait_state(run, "COMPLETED")
    assert ember.s3_log(run) == "space again\n"


def test_a_job_whose_logs_find_no_space_ends_all_the_same(ember, disk):
    run = ember.submit("gate=full", "lines=2000")
    ember.wait_state(run, "RUNNING")
    disk.fill()
    ember.open_gate("full")
    time.sleep(3) # the job writes into the full disk meanwhile
    disk.free()
    wait_for(lambda: ember.describe(run)["state"] in FINAL, "the run to end")
    ember.wait_state(ember.submit("out=after"), "COMPLETED")


def test_a_start_on_a_full_disk_is_told_in_one_sentence(ember, disk):
    ember.stop()
    disk.fill()
    try:
        log = len(ember.log_path.read_bytes())
        with open(ember.log_path, "ab") as f:
            process = subprocess.Popen([EMBERD, "--data-dir", ember.data_dir, "--listen", ember.listen], stdout=f, stderr=f,
                                       env=dict(os.environ, EMBER_SPARK_DIR=str(ember.spark_dir)))
            pid = ember.data_dir / "emberd.pid"
            wait_for(lambda: process.poll() is not None or pid.exists() and pid.read_text() == "%d\n" % process.pid, "it to end or to be ready")
            if process.poll() is None:
                process.terminate() # it found pages enough to start
                assert process.wait(120) == 0
                return
            code = process.wait()
        said = [line for line in ember.log_path.read_bytes()[log:].decode().splitlines() if not line.startswith("{")]
        assert code == 1 and len(said) == 1 and "make room" in said[0], said
    finally:
        disk.free()
        ember.start()
    ember.wait_state(ember.submit("out=started again"), "COMPLETED")
