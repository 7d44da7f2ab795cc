"""HTTPS: what clients do otherwise there (S3's unsigned trailers), versions of TLS, and a job run, whose pods talk to the daemon too."""
import http.client, io, os, pathlib, socket, ssl, subprocess, time, urllib.parse

import pytest

from ember import AWS, EMBERD, running
from jobs import BUCKET, JobEmber


def make_certificate(folder):
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=ember",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return cert, key


class TlsEmber(JobEmber):
    def __init__(self, folder):
        self.cert, self.key = make_certificate(pathlib.Path(folder))
        super().__init__(folder, "--tls-cert", str(self.cert), "--tls-key", str(self.key))

    @property
    def env(self):
        return dict(super().env, AWS_CA_BUNDLE=str(self.cert))

    def client(self, service, **kwargs):
        return super().client(service, **{"verify": str(self.cert), **kwargs})

    def connect(self, **limits):
        context = ssl.create_default_context(cafile=str(self.cert))
        for name, value in limits.items():
            setattr(context, name, value)
        at = urllib.parse.urlsplit(self.endpoint)
        return context.wrap_socket(socket.create_connection((at.hostname, at.port), timeout=120), server_hostname=at.hostname)


@pytest.fixture(scope="module")
def ember(folder):
    with running(TlsEmber(folder)) as daemon:
        yield daemon.prepare()


def test_the_endpoint_is_https(ember):
    assert ember.endpoint.startswith("https://127.0.0.1:")
    assert "export AWS_ENDPOINT_URL='%s'" % ember.endpoint in ember.ember("env").stdout.decode()


def test_objects_go_with_an_unsigned_trailer(ember):
    s3, seen = ember.client("s3"), {}
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: seen.update(request.headers))
    s3.create_bucket(Bucket="tls")
    s3.put_object(Bucket="tls", Key="k", Body=io.BytesIO(b"bytes" * 50000))
    assert b"STREAMING-UNSIGNED-PAYLOAD-TRAILER" in seen["X-Amz-Content-SHA256"] # else this proves nothing
    assert s3.get_object(Bucket="tls", Key="k")["Body"].read() == b"bytes" * 50000
    assert s3.head_object(Bucket="tls", Key="k", ChecksumMode="ENABLED")["ChecksumCRC32"]


def test_a_multipart_upload(ember):
    s3, data = ember.client("s3"), os.urandom(20 << 20)
    s3.create_bucket(Bucket="big")
    s3.upload_fileobj(io.BytesIO(data), "big", "k")
    assert s3.get_object(Bucket="big", Key="k")["Body"].read() == data


def test_logs(ember):
    logs, now = ember.client("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="tls")
    logs.create_log_stream(logGroupName="tls", logStreamName="s")
    logs.put_log_events(logGroupName="tls", logStreamName="s", logEvents=[{"timestamp": now, "message": "x" * 100000}] * 5)
    assert len(logs.get_log_events(logGroupName="tls", logStreamName="s", startFromHead=True)["events"]) == 5


def test_the_aws_cli_with_a_bundle(ember, tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(9 << 20))
    assert ember.aws("sts", "get-caller-identity", "--output", "json")["Account"] == "111122223333"
    ember.aws("s3", "mb", "s3://tls-cli")
    ember.aws("s3", "cp", "--quiet", source, "s3://tls-cli/k")
    ember.aws("s3", "cp", "--quiet", "s3://tls-cli/k", copy)
    assert copy.read_bytes() == source.read_bytes()


def test_the_aws_cli_without_one_refuses(ember):
    done = ember.run(AWS, "sts", "get-caller-identity", ok=False,
                     env={"AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt", "AWS_MAX_ATTEMPTS": "1"})
    assert done.returncode != 0 and b"SSL" in done.stderr


@pytest.mark.parametrize("version, name", [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_both_versions_of_tls(ember, version, name):
    with ember.connect(minimum_version=version, maximum_version=version) as s:
        assert s.version() == name
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_older_tls_is_refused(ember):
    context = ssl.create_default_context(cafile=str(ember.cert))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    at = urllib.parse.urlsplit(ember.endpoint)
    with pytest.raises(ssl.SSLError), socket.create_connection((at.hostname, at.port), timeout=120) as s:
        context.wrap_socket(s, server_hostname=at.hostname)


def test_plain_http_gets_no_answer_and_harms_nobody(ember):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(ember.endpoint).netloc, timeout=120)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("GET", "/healthz")
        connection.getresponse()
    connection.close()
    with ember.connect() as s:
        assert s.version()


def test_a_handshake_that_never_comes_holds_nobody_up(ember):
    at = urllib.parse.urlsplit(ember.endpoint)
    silent = [socket.create_connection((at.hostname, at.port)) for _ in range(50)]
    assert ember.client("sts").get_caller_identity()["Account"] == "111122223333"
    for s in silent:
        s.close()


def test_a_job_run_under_tls(ember):
    """Entry point from S3, logs to S3 and CloudWatch: both through the daemon, whose certificate nobody knows."""
    ember.client("s3").put_object(Bucket=BUCKET, Key="job.py", Body=b"print()")
    run = ember.submit("out=under TLS", "env", entry_point="s3://%s/job.py" % BUCKET)
    ember.wait_state(run, "COMPLETED")
    text = ember.s3_log(run)
    assert text.startswith("under TLS\n") and "AWS_ENDPOINT_URL=http://127.0.0.1:" in text
    assert "under TLS" in ember.cloudwatch_log(run)


def test_a_run_outlives_a_restart_under_tls(ember):
    run = ember.submit("out=first", "gate=second", "out=second")
    ember.wait_state(run, "RUNNING")
    port = (ember.data_dir / "internal-port").read_text()
    ember.stop()
    ember.start()
    assert (ember.data_dir / "internal-port").read_text() == port # what the pods were told
    ember.open_gate("second")
    ember.wait_state(run, "COMPLETED")
    assert ember.s3_log(run) == "first\nsecond\n" and ember.cloudwatch_log(run) == ["first", "second"]


@pytest.mark.parametrize("spoil, words", [
    (lambda cert, key: cert.unlink(), "cert.pem"),
    (lambda cert, key: key.write_text("no key"), "key.pem"),
    (lambda cert, key: make_certificate(key.parent) and key.write_text(key.read_text()[:200]), "key.pem"),
])
def test_a_wrong_certificate_is_told_in_one_sentence(tmp_path, spoil, words):
    cert, key = make_certificate(tmp_path)
    spoil(cert, key)
    done = subprocess.run([EMBERD, "--data-dir", tmp_path / "d", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 1 and len(lines) == 1 and words in lines[0], done.stderr
