"""emberd itself: its door, its data directory, its words when it cannot start, and what a restart keeps."""
import datetime, os, socket, stat, subprocess

import pytest
from botocore.exceptions import ClientError

from ember import EMBERD, Ember, wait_for
from signing import plain, signed


def test_it_says_where_it_is_in_three_lines(ember):
    def lines_of_output():
        lines = [line for line in ember.out_path.read_text().splitlines() if not line.startswith("Note: ")]
        return lines if len(lines) >= 3 else None
    lines = wait_for(lines_of_output, "the greeting") # it comes after the pid file
    assert len(lines) == 3
    assert ember.endpoint in lines[0] and "111122223333" in lines[0]
    assert "root-credentials" in lines[1]
    assert "ember env" in lines[2]


def test_healthz_needs_no_signature(ember):
    assert plain(ember, "GET", "/healthz")[::2] == (200, b"ok\n")


@pytest.mark.parametrize("path", ["/console/", "/id/abc/keys"])
def test_our_paths_are_no_buckets(ember, path):
    assert plain(ember, "GET", path)[0] == 404


def test_unsigned_requests_are_anonymous_s3(ember):
    status, headers, body = plain(ember, "GET", "/some-bucket/key")
    assert status == 403 and b"<Code>AccessDenied</Code>" in body
    assert len(headers["x-amz-request-id"]) == 16 and headers["x-amz-id-2"]


def test_the_files_of_the_data_directory_are_private(ember):
    assert stat.S_IMODE(os.stat(ember.data_dir).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(ember.data_dir / "root-credentials").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(ember.data_dir / "clusters/local/kubeconfig").st_mode) == 0o600


def fails(*options):
    done = subprocess.run([EMBERD, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode != 0 and len(lines) == 1 and lines[0].startswith("emberd: "), (done.returncode, done.stderr)
    return lines[0]


def test_a_second_emberd_on_the_same_data_is_refused(ember):
    text = fails("--data-dir", str(ember.data_dir), "--listen", "127.0.0.1:0")
    assert "pid %d" % ember.process.pid in text and "--data-dir" in text


def test_a_busy_port_is_told(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        assert str(port) in fails("--data-dir", str(tmp_path / "d"), "--listen", "127.0.0.1:%d" % port)


@pytest.mark.parametrize("options, words", [
    (["--listen", "0.0.0.0:4567"], "--insecure"),
    (["--listen", "here:4567"], "number"),
    (["--listen", "127.0.0.1"], "ADDRESS:PORT"),
    (["--listen", "127.0.0.1:99999"], "ADDRESS:PORT"),
    (["--account-id", "12"], "12 digits"),
    (["--region", "Us East"], "region"),
    (["--nodes", "0"], "1 to 100"),
    (["--release-policy", "maybe"], "strict"),
    (["--tls-cert", "x.pem"], "--tls-key"),
    (["--what"], "--help"),
    (["--data-dir"], "value"),
])
def test_wrong_options_are_told_in_one_sentence(tmp_path, options, words):
    given = options if "--data-dir" in options else ["--data-dir", str(tmp_path / "d"), *options]
    assert words in fails(*given)


def test_a_data_directory_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in fails("--data-dir", str(tmp_path / "file"), "--listen", "127.0.0.1:0")


def test_help_lists_every_option():
    text = subprocess.run([EMBERD, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for option in ("--data-dir", "--listen", "--account-id", "--region", "--tls-cert", "--tls-key", "--insecure", "--nodes",
                   "--release-policy", "--help", "--version"):
        assert option in text


def test_a_restart_keeps_everything(tmp_path_factory):
    import tempfile
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        daemon = Ember(folder).start()
        key = (daemon.key_id, daemon.secret)
        daemon.client("s3").create_bucket(Bucket="kept")
        daemon.client("s3").put_object(Bucket="kept", Key="k", Body=b"bytes")
        logs = daemon.client("logs")
        logs.create_log_group(logGroupName="kept")
        logs.create_log_stream(logGroupName="kept", logStreamName="s")
        now = int(datetime.datetime.now().timestamp() * 1000)
        logs.put_log_events(logGroupName="kept", logStreamName="s", logEvents=[{"timestamp": now, "message": "kept"}])
        daemon.namespace("kept")
        cluster = daemon.client("emr-containers").create_virtual_cluster(
            name="kept", containerProvider={"type": "EKS", "id": "local", "info": {"eksInfo": {"namespace": "kept"}}}, tags={"a": "b"})
        daemon.stop()
        assert not (daemon.data_dir / "endpoint").exists() and not (daemon.data_dir / "emberd.pid").exists()
        daemon.start()
        assert (daemon.key_id, daemon.secret) == key
        assert daemon.client("s3").get_object(Bucket="kept", Key="k")["Body"].read() == b"bytes"
        events = daemon.client("logs").get_log_events(logGroupName="kept", logStreamName="s", startFromHead=True)["events"]
        assert [e["message"] for e in events] == ["kept"]
        view = daemon.client("emr-containers").describe_virtual_cluster(id=cluster["id"])["virtualCluster"]
        assert (view["state"], view["tags"]) == ("RUNNING", {"a": "b"})
        (daemon.folder / "kubeconfig").unlink()
        assert "kept" in daemon.kubectl("get", "namespace", "kept")
        daemon.stop()
        daemon.check_nothing_left()


def test_a_killed_daemon_starts_again():
    import tempfile
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        daemon = Ember(folder).start()
        daemon.client("s3").create_bucket(Bucket="kept")
        daemon.process.kill()
        daemon.process.wait()
        (daemon.data_dir / "endpoint").unlink()
        daemon.start()
        assert [b["Name"] for b in daemon.client("s3").list_buckets()["Buckets"]] == ["kept"]
        daemon.stop()
        daemon.check_nothing_left()
