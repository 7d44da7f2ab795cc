"""emberd itself: its door, its data directory, its words when it cannot start, and what a restart keeps."""
import contextlib, datetime, fcntl, os, socket, stat, subprocess, tempfile, threading

import pytest
from botocore.exceptions import ClientError

from ember import EMBER, EMBERD, Ember, running, wait_for
from jobs import JobEmber
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


def test_healthz_answers_ok_once_clients_can_find_their_way(tmp_path):
    """Not before `ember env` knows the endpoint, though the port is taken early. Until then it says 503."""
    daemon, heard = Ember(tmp_path), []

    def ready():
        with contextlib.suppress(OSError):
            heard.append(plain(daemon, "GET", "/healthz")[::2])
        return heard and heard[-1][0] == 200
    with running(daemon):
        daemon.stop() # its port is known now, and its files are gone
        with open(daemon.log_path, "ab") as log:
            daemon.process = subprocess.Popen([EMBERD, "--data-dir", daemon.data_dir, "--listen", daemon.listen], stdout=subprocess.DEVNULL, stderr=log)
        wait_for(lambda: daemon.process.poll() is not None or ready(), "emberd to be ready")
        assert (daemon.data_dir / "endpoint").exists()
        assert heard[-1] == (200, b"ok\n") and set(heard[:-1]) <= {(503, b"not ready\n")}
        assert daemon.run(EMBER, "env").stdout.startswith(b"export AWS_ENDPOINT_URL=")


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


def readable_by_others(folder):
    """What a user of no rights can open below folder."""
    program = "import os, sys\nfor at, _, names in os.walk(sys.argv[1]):\n for n in names:\n  p = os.path.join(at, n)\n  os.access(p, os.R_OK) and print(p)"
    done = subprocess.run(["/usr/bin/python3", "-c", program, folder], user=65534, group=65534, extra_groups=[], stdout=subprocess.PIPE, text=True,
                          timeout=180, check=True)
    return done.stdout.split()


def modes(folder):
    return {str(p.relative_to(folder)): stat.S_IMODE(p.lstat().st_mode) for p in [folder, *folder.rglob("*")] if not p.is_symlink()}


def test_a_data_directory_that_is_open_to_others_is_closed(tmp_path):
    daemon = Ember(tmp_path)
    daemon.data_dir.mkdir()
    daemon.data_dir.chmod(0o755)
    (daemon.data_dir / "ember.conf").write_text("")
    with running(daemon):
        found = modes(daemon.data_dir)
        assert not any(mode & 0o77 for name, mode in found.items() if "/" not in name and name != "ember.conf"), found
        assert not any(mode & 0o77 for name, mode in found.items() if ".db" in name) and sum(".db" in name for name in found) >= 4, found
    for path in (daemon.data_dir, *daemon.data_dir.rglob("*")): # as an older emberd left it, or a copy from a backup
        path.chmod(0o755 if path.is_dir() else 0o644)
    with running(daemon):
        found = modes(daemon.data_dir)
        assert not any(found[name] & 0o77 for name in (".", "objects", "logs", "clusters", "pods", "root-credentials")), found
        assert not any(mode & 0o77 for name, mode in found.items() if ".db" in name), found


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_where_others_pass_through_the_data_directory_they_read_nothing_of_it():
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        daemon = JobEmber(folder)
        theirs = daemon.data_dir / "theirs"
        daemon.data_dir.mkdir()
        daemon.data_dir.chmod(0o755)
        theirs.write_text("of somebody else")
        theirs.chmod(0o644)
        with running(daemon):
            assert stat.S_IMODE(daemon.data_dir.stat().st_mode) == 0o755
            assert '"DATA_DIR_OPEN"' in daemon.log_path.read_text()
            daemon.prepare()
            run = daemon.submit("out=1", "sleep=600")
            daemon.wait_state(run, "RUNNING")
            assert readable_by_others(daemon.data_dir) == [str(theirs)]
            daemon.emr.cancel_job_run(virtualClusterId=daemon.virtual_cluster, id=run)
            daemon.wait_state(run, "CANCELLED")
        assert readable_by_others(daemon.data_dir) == [str(theirs)]


def fails(*options):
    done = subprocess.run([EMBERD, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180)
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


def test_a_lock_without_a_daemon_is_waited_for():
    """A child of a killed emberd that has not become another program yet has it, or an ember that looks whether one runs."""
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        daemon = Ember(folder).start()
        daemon.process.kill()
        daemon.process.wait()
        lock = open(daemon.data_dir / "emberd.lock")
        fcntl.flock(lock, fcntl.LOCK_SH)
        release = threading.Timer(1, lock.close)
        release.start()
        daemon.start()
        release.join()
        daemon.stop()
        daemon.check_nothing_left()
