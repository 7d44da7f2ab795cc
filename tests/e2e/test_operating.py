"""What an operator sees and turns: request ids, the access log, /metrics, the configuration and its reload, rate limits."""
import contextlib, datetime, fcntl, json, os, pathlib, re, resource, signal, socket, sqlite3, stat, subprocess, tempfile, urllib.parse

import botocore.config
import pytest
from botocore.exceptions import ClientError

from ember import EMBER, EMBERD, KUBECTL, ROOT, Ember, wait_for
from signing import plain, signed

PROMTOOL = ROOT / ".deps/bin/promtool"


def running(folder, *options):
    """An Ember whose options can be changed: its file is DATA/ember.conf."""
    daemon = Ember(folder, *options)
    daemon.data_dir.mkdir(mode=0o700)
    return daemon


@pytest.fixture
def daemon(request):
    """Started with what the decorator started_with says."""
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        options, conf = getattr(request, "param", ((), None))
        made = running(folder, *options)
        if conf:
            write_conf(made, conf)
        made.start()
        try:
            yield made
        finally:
            if made.process:
                made.stop()


def started_with(*options, conf=None):
    return pytest.mark.parametrize("daemon", [(options, conf)], indirect=True, ids=["started"])


def write_conf(daemon, text):
    (daemon.data_dir / "ember.conf").write_text(text)


def events(daemon, name):
    lines = [json.loads(line) for line in daemon.log_path.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]


def reload(daemon, event="CONFIG_RELOADED"):
    before = len(events(daemon, event))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(events(daemon, event)) > before, event)
    return events(daemon, event)[before:]


def access_lines(daemon, path="access.log"):
    file = daemon.data_dir / path
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def access_line(daemon, request_id, **kwargs):
    """The line of that request: written by a thread of its own, so a moment later."""
    return wait_for(lambda: [line for line in access_lines(daemon, **kwargs) if line["requestId"] == request_id], "the line of %s" % request_id)[0]


def metrics(daemon, **headers):
    status, head, body = plain(daemon, "GET", "/metrics", headers)
    assert status == 200 and head["content-type"] == "text/plain; version=0.0.4; charset=utf-8", (status, body)
    return body.decode()


def value(daemon, name, **labels):
    """Of all lines with these labels, added up."""
    total = 0.0
    for line in metrics(daemon).splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if match and match.group(1) == name:
            have = dict(re.findall(r'(\w+)="([^"]*)"', match.group(2) or ""))
            if all(have.get(k) == v for k, v in labels.items()):
                total += float(match.group(3))
    return total


def code_of(call, **arguments):
    with pytest.raises(ClientError) as e:
        call(**arguments)
    return e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]


# ---- request ids and the access log ----


def test_every_answer_has_a_request_id_that_the_access_log_knows(ember):
    ember.client("s3").create_bucket(Bucket="ids")
    ember.client("s3").put_object(Bucket="ids", Key="k", Body=b"12345")
    answers = [
        ("healthz", *plain(ember, "GET", "/healthz"), 200, None),
        ("metrics", *plain(ember, "GET", "/metrics"), 200, None),
        ("console", *plain(ember, "GET", "/console/"), 404, None),
        ("s3", *signed(ember, "GET", "/ids/k", "s3"), 200, "GetObject"),
        ("s3", *signed(ember, "GET", "/ids/none", "s3"), 404, "GetObject"),
        ("s3", *plain(ember, "GET", "/ids/k"), 403, "GetObject"),
        ("s3", *signed(ember, "HEAD", "/ids", "s3"), 200, "HeadBucket"),
        ("emr", *signed(ember, "GET", "/virtualclusters", "emr-containers"), 200, "ListVirtualClusters"),
        ("emr", *signed(ember, "GET", "/nothing", "emr-containers"), 404, None),
        ("emr", *signed(ember, "GET", "/virtualclusters", "emr-containers", secret="wrong"), 403, "ListVirtualClusters"),
        ("sts", *signed(ember, "POST", "/", "sts", body=b"Action=GetCallerIdentity&Version=2011-06-15",
                        headers={"content-type": "application/x-www-form-urlencoded"}), 200, "GetCallerIdentity"),
        ("logs", *signed(ember, "POST", "/", "logs", body=b"{}", headers={"x-amz-target": "Logs_20140328.DescribeLogGroups"}), 200, "DescribeLogGroups"),
        ("lambda", *signed(ember, "GET", "/x", "lambda"), 404, None),
    ]
    seen = set()
    for what, status, headers, body, expected, operation in answers:
        request_id = headers.get("x-amz-request-id" if what == "s3" else "x-amzn-requestid")
        assert request_id and request_id not in seen, (what, headers)
        seen.add(request_id)
        assert status == expected, (what, status, body)
        line = access_line(ember, request_id)
        assert (line["status"], line.get("operation")) == (status, operation), line
        assert line["remoteAddress"].startswith("127.0.0.1:") and line["durationMs"] >= 0 and line["bytesOut"] >= len(body)
        if status >= 400 and what in ("s3", "emr"):
            assert line["errorCode"], line


@pytest.mark.parametrize("sent, status", [(b"GARBAGE\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 70000), 414),
                                          (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505)])
def test_what_is_no_http_has_a_request_id_too(ember, sent, status):
    host, port = ember.endpoint.split("//")[1].split(":")
    with socket.create_connection((host, int(port)), timeout=120) as s:
        s.sendall(sent)
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    line = access_line(ember, re.search(rb"x-amzn-RequestId: (\S+)\r\n", answer).group(1).decode())
    assert line["status"] == status and line["remoteAddress"].startswith("127.0.0.1:")


def test_the_embedded_kubernetes_has_audit_ids(ember):
    def headers_of(*options):
        return {m.group(1).lower() for m in re.finditer(r'Audit-Id: ([\w-]+)', ember.run(KUBECTL, "get", "--raw", "/version", "-v=8", *options,
                env={"KUBECONFIG": str(ember.folder / "kubeconfig")}).stderr.decode(), re.I)}
    ember.kubectl("get", "namespaces")
    first, second = headers_of(), headers_of()
    assert first and second and not first & second


def test_the_access_log_says_who_and_keeps_their_secrets(ember):
    s3 = ember.client("s3", config=botocore.config.Config(signature_version="s3v4", user_agent="agent\"of/1\\ " + "x" * 400))
    s3.create_bucket(Bucket="secrets")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "secrets", "Key": "a\"b\n{}"})
    target = url[len(ember.endpoint):]
    status, headers, _ = plain(ember, "PUT", target, {"X-Amz-Security-Token": "tok-secret"}, b"123")
    assert status in (200, 400, 403)
    status, headers, _ = plain(ember, "PUT", target, {"User-Agent": "q\"\\\t" + "u" * 400}, b"123")
    assert status == 200
    line = access_line(ember, headers["x-amz-request-id"])
    assert line["operation"] == "PutObject" and line["accessKeyId"] == ember.key_id and line["principal"] == "arn:aws:iam::111122223333:root"
    assert "X-Amz-Signature=***" in line["query"] and line["bytesIn"] > 3 and len(line["userAgent"]) <= 256
    text = (ember.data_dir / "access.log").read_text()
    signature = re.search(r"X-Amz-Signature=(\w+)", url).group(1)
    for secret in (signature, ember.secret, "tok-secret"):
        assert secret not in text
    assert stat.S_IMODE(os.stat(ember.data_dir / "access.log").st_mode) == 0o600


def test_who_did_not_prove_who_they_are_is_not_named(ember):
    status, headers, _ = signed(ember, "GET", "/virtualclusters", "emr-containers", secret="x" * 40)
    line = access_line(ember, headers["x-amzn-requestid"])
    assert status == 403 and "principal" not in line and line["errorCode"] == "InvalidSignatureException"


@started_with("--log-level", "debug")
def test_events_of_a_request_carry_its_id(daemon):
    _, headers, _ = signed(daemon, "GET", "/virtualclusters", "emr-containers")
    assert wait_for(lambda: [e for e in events(daemon, "REQUEST_DONE") if e["requestId"] == headers["x-amzn-requestid"]], "the event")


def test_the_access_log_follows_rotation(daemon):
    first = plain(daemon, "GET", "/healthz")[1]["x-amzn-requestid"]
    access_line(daemon, first)
    (daemon.data_dir / "access.log").rename(daemon.data_dir / "access.log.old")
    reload(daemon)
    second = plain(daemon, "GET", "/healthz")[1]["x-amzn-requestid"]
    access_line(daemon, second)
    assert [line["requestId"] for line in access_lines(daemon, "access.log.old")][-1] == first
    assert first not in (daemon.data_dir / "access.log").read_text()


@started_with("--access-log", "off")
def test_the_access_log_can_be_off(daemon):
    plain(daemon, "GET", "/healthz")
    assert not (daemon.data_dir / "access.log").exists()


@started_with("--access-log", "/dev/full")
def test_a_full_disk_costs_lines_not_requests(daemon):
    for _ in range(20):
        assert plain(daemon, "GET", "/healthz")[0] == 200
    wait_for(lambda: value(daemon, "ember_access_log_dropped_lines_total") >= 20, "the lines to be counted")
    assert value(daemon, "ember_access_log_lines_total") == 0
    assert len(events(daemon, "ACCESS_LOG_TROUBLE")) == 1


# ---- metrics ----


def test_promtool_finds_nothing_wrong(ember):
    if not PROMTOOL.exists():
        pytest.skip("no promtool: tools/setup/setup promtool")
    ember.client("emr-containers").list_virtual_clusters()
    plain(ember, "GET", "/nobody/here")
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=metrics(ember).encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180)
    assert (done.returncode, done.stdout) == (0, b""), done.stdout.decode()


def test_counters_move_with_requests(ember):
    labels = dict(service="emr-containers", operation="ListVirtualClusters")
    was = [value(ember, "ember_requests_total", code="200", **labels), value(ember, "ember_requests_total", code="400", **labels),
           value(ember, "ember_request_duration_seconds_count", **labels), value(ember, "ember_response_bytes_total", **labels)]
    emr = ember.client("emr-containers")
    for _ in range(3):
        emr.list_virtual_clusters()
    assert code_of(emr.list_virtual_clusters, nextToken="no token")[1] == 400
    now = [value(ember, "ember_requests_total", code="200", **labels), value(ember, "ember_requests_total", code="400", **labels),
           value(ember, "ember_request_duration_seconds_count", **labels), value(ember, "ember_response_bytes_total", **labels)]
    assert [b - a for a, b in zip(was, now)][:3] == [3, 1, 4] and now[3] > was[3] + 4 * 100
    assert value(ember, "ember_request_duration_seconds_bucket", le="+Inf", **labels) == now[2]


def test_failures_commits_and_the_process_are_counted(ember):
    names = [("ember_authentication_failures_total", {"code": "InvalidAccessKeyId"}), ("ember_authentication_failures_total", {"code": "UnrecognizedClientException"}),
             ("ember_database_commit_duration_seconds_count", {}), ("ember_http_connections_accepted_total", {"listener": "main"}),
             ("process_cpu_seconds_total", {})]
    before = [value(ember, name, **labels) for name, labels in names]
    assert signed(ember, "GET", "/", "s3", key_id="AKIAAAAAAAAAAAAAAAAA")[0] == 403
    assert signed(ember, "GET", "/virtualclusters", "emr-containers", key_id="AKIAAAAAAAAAAAAAAAAA")[0] == 403
    ember.client("s3").create_bucket(Bucket="counted")
    after = [value(ember, name, **labels) for name, labels in names]
    assert after[0] - before[0] == 1 and after[1] - before[1] == 1
    assert all(b > a for a, b in zip(before[2:], after[2:])), (before, after)
    assert value(ember, "ember_build_info") == 1
    wait_for(lambda: value(ember, "ember_reconcile_queue_due_keys") == 0, "nothing to be due")
    assert value(ember, "ember_reconcile_failures_total") == 0
    assert 0 < value(ember, "process_open_fds") <= value(ember, "process_max_fds")
    assert value(ember, "process_resident_memory_bytes") > 1 << 20
    start = datetime.datetime.now().timestamp() - value(ember, "process_start_time_seconds")
    assert -2 < start < 6 * 3600
    assert value(ember, "ember_job_runs") == 0 and 'ember_job_runs{state="RUNNING"} 0' in metrics(ember)


def test_connections_are_counted_by_what_they_wait_for(daemon):
    at = urllib.parse.urlsplit(daemon.endpoint)
    states = lambda: dict(re.findall(r'^ember_http_connections\{listener="main",state="(\w+)"\} (\d+)$', metrics(daemon), re.M))
    begun = [b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]
    with contextlib.ExitStack() as open_ones:
        for data in begun:
            open_ones.enter_context(socket.create_connection((at.hostname, at.port), 60)).sendall(data)
        wait_for(lambda: [states().get(name) for name in ("head", "body", "idle", "running")] == ["1", "1", "1", "1"],
                 "a connection in each state, and the one that asks", 60)


def test_names_that_clients_make_up_are_no_labels(ember):
    emr = 'service="emr-containers"'
    for i in range(20):
        signed(ember, "GET", "/made/up/%d" % i, "emr-containers")
        signed(ember, "POST", "/", "logs", body=b"{}", headers={"x-amz-target": "Logs_20140328.MadeUp%d" % i})
        plain(ember, "BREW", "/made-up-%d" % i)
        signed(ember, "GET", "/", "made-up-%d" % i)
    page = metrics(ember)
    assert "made" not in page.lower() and "BREW" not in page and emr in page


def test_nothing_is_left_in_flight(ember):
    """An unsigned form is of STS until its body has said whose it is."""
    form = {"Content-Type": "application/x-www-form-urlencoded", "Host": "emr-containers.here"}
    assert plain(ember, "POST", "/", form, b"a=b")[0] in (400, 403)
    assert plain(ember, "POST", "/", form, b"Action=ListRoles&Version=2010-05-08")[0] in (400, 403)
    pattern = re.compile(r'^ember_requests_in_flight\{service="(\S+)"\} ([1-9]\d*)$', re.M)
    wait_for(lambda: pattern.findall(metrics(ember)) == [("none", "1")], "no request to be in flight but the one that asks")


def test_only_loopback_by_its_own_name_reads_metrics_without_a_token(ember):
    port = ember.endpoint.rsplit(":", 1)[1]
    for headers, status in (({}, 200), ({"Host": "localhost:" + port}, 200), ({"Host": "[::1]:" + port}, 200), ({"Host": "127.0.0.1"}, 200),
                            ({"Host": "rebound.example:" + port}, 403), ({"Host": "127.0.0.1.example"}, 403), ({"X-Forwarded-For": "192.0.2.1"}, 403),
                            ({"Forwarded": "for=192.0.2.1"}, 403), ({"Authorization": "Bearer anything"}, 200)):
        assert plain(ember, "GET", "/metrics", headers)[0] == status, headers
    assert plain(ember, "POST", "/metrics")[0] == 405
    assert signed(ember, "GET", "/metrics", "s3")[0] == 404 # a bucket's name to who signs
    with socket.create_connection(("127.0.0.1", int(port)), 120) as s, s.makefile("rb") as answer: # as nginx asks for others
        s.sendall(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n" % port.encode())
        assert answer.readline().split()[1] == b"403"


def test_with_a_token_nobody_else_reads_metrics(tmp_path):
    token = tmp_path / "token"
    token.write_text("correct-horse-battery\n")
    token.chmod(0o600)
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        daemon = running(folder, "--metrics-token-file", str(token)).start()
        try:
            for headers, status in (({}, 401), ({"Authorization": "Bearer wrong-horse-battery"}, 401), ({"Authorization": "Bearer "}, 400), # neither
                                    ({"Authorization": "Basic correct-horse-battery"}, 400), # of no service
                                    ({"Authorization": "Bearer correct-horse-battery"}, 200),
                                    ({"Authorization": "bearer correct-horse-battery", "Host": "ember.example", "X-Forwarded-For": "192.0.2.1"}, 200)):
                got, head, _ = plain(daemon, "GET", "/metrics", headers)
                assert got == status, headers
                assert got != 401 or head["www-authenticate"] == "Bearer"
            token.write_text("another-horse-battery")
            reload(daemon)
            assert plain(daemon, "GET", "/metrics", {"Authorization": "Bearer correct-horse-battery"})[0] == 401
            assert plain(daemon, "GET", "/metrics", {"Authorization": "Bearer another-horse-battery"})[0] == 200
            assert "horse" not in daemon.log_path.read_text() + (daemon.data_dir / "access.log").read_text()
        finally:
            daemon.stop()


# ---- configuration ----


def emberd(*options, env=None, **kwargs):
    return subprocess.run([EMBERD, *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180,
                          env={**os.environ, **(env or {})}, **kwargs)


def test_check_config_says_everything_that_is_wrong(tmp_path):
    conf = tmp_path / "ember.conf"
    conf.write_text("# ours\nlisten = 127.0.0.1:0\nlisten = 127.0.0.1:1\nnodez = 3\nrate-limit = fast\nnodes = 0\n")
    done = emberd("--check-config", "--data-dir", tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert sorted(done.stderr.splitlines()) == sorted([
        "emberd: %s:3: listen is set twice, first in line 2" % conf,
        "emberd: %s:4: there is no option nodez; did you mean nodes?" % conf,
        "emberd: %s:5: rate-limit = fast is not a number from 1 to 1000000, nor off" % conf,
        "emberd: %s:6: nodes = 0 is not a number from 1 to 100" % conf,
    ])
    started = emberd("--data-dir", tmp_path)
    assert started.returncode == 2 and len(started.stderr.splitlines()) == 1 and "(and 3 more" in started.stderr


def test_check_config_looks_into_the_files(tmp_path):
    (tmp_path / "cert.pem").write_text("no certificate")
    (tmp_path / "token").write_text("short")
    conf = tmp_path / "some.conf"
    conf.write_text("tls-cert = cert.pem\ntls-key = key.pem\nmetrics-token-file = token\naccess-log = /nowhere/at/all.log\n")
    done = emberd("--check-config", "--data-dir", tmp_path, "--config", conf)
    assert done.returncode == 1
    for words in ("some.conf:1: tls-cert = cert.pem", "some.conf:3: metrics-token-file = token: the token in it has fewer than 16 characters",
                  "some.conf:4: access-log = /nowhere/at/all.log: /nowhere/at is no folder"):
        assert words in done.stderr, done.stderr


def test_good_configurations_are_said_to_be_good_and_printed_with_their_sources(tmp_path):
    conf = tmp_path / "ember.conf"
    conf.write_text("region = eu-west-1\nnodes = 3\n")
    done = emberd("--check-config", "--data-dir", tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and str(conf) in done.stdout
    done = emberd("--print-config", "--data-dir", tmp_path, "--nodes", "4", env={"EMBER_LISTEN": "127.0.0.1:9"})
    for lines in ("# %s:1\nregion = eu-west-1\n" % conf, "# --nodes\nnodes = 4\n", "# EMBER_LISTEN\nlisten = 127.0.0.1:9\n",
                  "# default\naccount-id = 111122223333\n"):
        assert lines in done.stdout, done.stdout
    missing = emberd("--check-config", "--config", tmp_path / "none.conf")
    assert missing.returncode == 1 and "none.conf" in missing.stderr


@started_with(conf="region = eu-central-1\naccount-id = 999988887777\n")
def test_the_file_is_used(daemon):
    arn = daemon.client("sts", region_name="eu-central-1").get_caller_identity()["Arn"]
    assert arn == "arn:aws:iam::999988887777:root"


@started_with(conf="log-level = info\n")
def test_a_reload_changes_what_it_can_and_says_what_it_cannot(daemon):
    signed(daemon, "GET", "/virtualclusters", "emr-containers")
    assert not events(daemon, "REQUEST_DONE")
    write_conf(daemon, "log-level = debug\nwrite-limit = 7\nnodes = 3\n")
    reload(daemon)
    changed = {e["option"]: (e["from"], e["to"]) for e in events(daemon, "CONFIG_CHANGED")}
    assert changed == {"log-level": ("info", "debug"), "write-limit": ("off", "7")}
    restart = events(daemon, "CONFIG_NEEDS_RESTART")
    assert [(e["option"], e["running"], e["configured"]) for e in restart] == [("nodes", "1", "3")]
    signed(daemon, "GET", "/virtualclusters", "emr-containers")
    wait_for(lambda: events(daemon, "REQUEST_DONE"), "debug events")
    reload(daemon)
    assert len(events(daemon, "CONFIG_CHANGED")) == 2 and len(events(daemon, "CONFIG_NEEDS_RESTART")) == 2 # said again: it still is so


@started_with(conf="log-level = info\n")
def test_a_bad_file_changes_nothing(daemon):
    write_conf(daemon, "log-level = debug\nwrite-limit = 1\nnoodles = 3\nrate-limit = -1\n")
    problems = reload(daemon, "CONFIG_REFUSED")
    wait_for(lambda: len(events(daemon, "CONFIG_REFUSED")) == 2, "both problems")
    assert "ember.conf:3: there is no option noodles; did you mean nodes?" in problems[0]["problem"]
    for _ in range(3):
        signed(daemon, "GET", "/virtualclusters", "emr-containers")
    assert not events(daemon, "CONFIG_CHANGED") and not events(daemon, "REQUEST_DONE")
    write_conf(daemon, "access-log = /nowhere/x.log\n")
    reload(daemon, "CONFIG_REFUSED")
    access_line(daemon, plain(daemon, "GET", "/healthz")[1]["x-amzn-requestid"])


@started_with(conf="log-level = info\n")
def test_a_reload_that_fails_late_changes_nothing(daemon):
    """The access log is a folder, which only opening it shows: by then everything else was found good."""
    token = daemon.folder / "token"
    token.write_text("a token of the tests\n")
    token.chmod(0o600)
    (daemon.folder / "logs").mkdir()
    conf = "metrics-token-file = %s\nlog-level = debug\nwrite-limit = 1\n" % token
    write_conf(daemon, conf + "access-log = %s\n" % (daemon.folder / "logs"))
    problems = reload(daemon, "CONFIG_REFUSED")
    assert len(problems) == 1 and "access log" in problems[0]["problem"], problems
    assert plain(daemon, "GET", "/metrics")[0] == 200 # with a token nobody would get in without
    signed(daemon, "GET", "/virtualclusters", "emr-containers")
    assert not events(daemon, "CONFIG_CHANGED") and not events(daemon, "CONFIG_RELOADED") and not events(daemon, "REQUEST_DONE")
    access_line(daemon, plain(daemon, "GET", "/healthz")[1]["x-amzn-requestid"])
    write_conf(daemon, conf)
    reload(daemon)
    assert plain(daemon, "GET", "/metrics")[0] in (401, 403)
    assert plain(daemon, "GET", "/metrics", {"Authorization": "Bearer a token of the tests"})[0] == 200


def test_descriptors_that_were_closed_are_taken_by_nothing_else():
    """Else what is logged would be written into whatever file or connection got the number."""
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        daemon = Ember(folder)
        daemon.start(close=(0, 1, 2))
        try:
            for fd in (0, 1, 2):
                assert os.readlink("/proc/%d/fd/%d" % (daemon.process.pid, fd)) == "/dev/null"
            daemon.client("s3").create_bucket(Bucket="closed")
        finally:
            daemon.stop()
        daemon.check_nothing_left()


def test_systemd_is_told(monkeypatch):
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(folder + "/notify")
        notify.settimeout(180)
        monkeypatch.setenv("NOTIFY_SOCKET", folder + "/notify")
        daemon = running(folder).start()
        try:
            assert notify.recv(1000) == b"READY=1"
            daemon.process.send_signal(signal.SIGHUP)
            assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", notify.recv(1000))
            assert notify.recv(1000) == b"READY=1"
        finally:
            daemon.stop()
        assert notify.recv(1000) == b"STOPPING=1"


# ---- rate limits ----

SLOW = "write-limit = 1\nwrite-limit-burst = 2\n"


@started_with(conf=SLOW)
def test_each_protocol_has_its_throttling_error(daemon):
    emr, s3, logs, sts = (daemon.client(name) for name in ("emr-containers", "s3", "logs", "sts"))
    def until_throttled(call, **arguments):
        for _ in range(50):
            try:
                call(**arguments)
            except ClientError as e:
                if e.response["Error"]["Code"] in ("RequestThrottledException", "ThrottlingException", "Throttling", "SlowDown"):
                    return e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Message"]
        raise AssertionError("never throttled")
    assert until_throttled(emr.delete_virtual_cluster, id="nothing") == ("RequestThrottledException", 400, "Rate exceeded")
    assert until_throttled(s3.delete_object, Bucket="none", Key="k") == ("SlowDown", 503, "Please reduce your request rate.")
    assert until_throttled(logs.delete_log_group, logGroupName="none") == ("ThrottlingException", 400, "Rate exceeded")
    for _ in range(20):
        emr.list_virtual_clusters() # reads have no limit here
    write_conf(daemon, "rate-limit = 1\nrate-limit-burst = 1\n")
    reload(daemon)
    assert until_throttled(sts.get_caller_identity) == ("Throttling", 400, "Rate exceeded")
    assert until_throttled(daemon.client("eks").list_clusters)[:2] == ("ThrottlingException", 429)
    write_conf(daemon, "rate-limit = off\n")
    reload(daemon)
    for _ in range(20):
        sts.get_caller_identity()
    assert value(daemon, "ember_throttled_requests_total", service="s3", limit="writes") >= 1
    assert value(daemon, "ember_throttled_requests_total", service="sts", limit="principal") >= 1
    assert not [line for line in daemon.log_path.read_text().splitlines() if '"level":"error"' in line]


@started_with(conf="rate-limit = 4\nrate-limit-burst = 2\n")
@pytest.mark.parametrize("mode", ["standard", "adaptive"])
def test_the_sdk_makes_success_of_throttling(daemon, mode):
    config = botocore.config.Config(retries={"mode": mode, "total_max_attempts": 12}, inject_host_prefix=False)
    for service, call in (("emr-containers", "list_virtual_clusters"), ("s3", "list_buckets"), ("sts", "get_caller_identity")):
        client = daemon.client(service, config=config)
        for calls in range(100): # until one met the limit: else this proves nothing
            if getattr(client, call)()["ResponseMetadata"]["RetryAttempts"]:
                break
        else:
            raise AssertionError(service)
    assert value(daemon, "ember_throttled_requests_total", limit="principal") > 0


@started_with(conf="auth-failure-limit = 60\nauth-failure-burst = 5\nauth-failure-loopback = on\n")
def test_guessing_keys_is_slow(daemon):
    guess = lambda: signed(daemon, "GET", "/virtualclusters", "emr-containers", secret="a guess")
    assert [guess()[0] for _ in range(5)] == [403] * 5
    for _ in range(200): # one a second is forgiven: on a slow machine it takes more than the next
        status, _, body = guess()
        if status != 403:
            break
    assert status == 400 and b"Rate exceeded" in body
    status, _, body = signed(daemon, "GET", "/virtualclusters", "emr-containers") # not even the right one, as long as it goes on
    assert status in (200, 400)
    wait_for(lambda: signed(daemon, "GET", "/virtualclusters", "emr-containers")[0] == 200, "the address to be let in again")
    assert value(daemon, "ember_throttled_requests_total", limit="address") >= 1


def test_guessing_from_loopback_is_not_slowed_by_default(ember):
    for i in range(130):
        assert signed(ember, "GET", "/virtualclusters", "emr-containers", secret="guess-%d" % i)[0] == 403


# ---- ember doctor: each test breaks one thing ----


SPARKS = {"EMBER_SPARK_DIR": str(ROOT / ".deps/spark")} # found by itself only from a build folder in the tree


class Doctor:
    def __init__(self, folder):
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.conf("listen = 127.0.0.1:0\n")

    def conf(self, text):
        (self.data / "ember.conf").write_text(text)

    def run(self, **kwargs):
        done = subprocess.run([EMBER, "doctor", "--output", "json", "--data-dir", self.data], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=180, **kwargs)
        report = json.loads(done.stdout)
        assert report["ok"] == (done.returncode == 0) == (done.stderr == ""), done.stderr
        return {name: [(c["status"], c["detail"]) for c in report["checks"] if c["name"] == name] for name in {c["name"] for c in report["checks"]}}

    def one(self, name, **kwargs):
        found = self.run(**kwargs).get(name, [])
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def doctor(tmp_path):
    return Doctor(tmp_path)


def test_doctor_finds_nothing_wrong_with_a_running_emberd(ember):
    report = json.loads(ember.ember("doctor", "--output=json", env=SPARKS).stdout)
    names = {c["name"]: c for c in report["checks"]}
    assert report["ok"], report
    for name in ("version", "java", "bwrap", "python", "sparks", "memory", "open files", "clock", "configuration", "emberd", "disk", "fsync", "data directory",
                 "root key", "pods"):
        assert names[name]["status"] in ("ok", "warn"), names[name]
    assert names["emberd"]["status"] == "ok"
    checked = [c["detail"] for c in report["checks"] if c["name"] == "database"]
    assert len(checked) == 4 and all(text.endswith(" is whole") for text in checked), checked
    assert ember.ember("doctor", env=SPARKS).stdout.decode().startswith("ok   version")
    assert not (ember.data_dir / ".doctor").exists()


def test_doctor_before_the_first_start(tmp_path):
    done = subprocess.run([EMBER, "doctor", "--data-dir", tmp_path / "none"], stdout=subprocess.PIPE, text=True, timeout=180, 
                          env={**os.environ, **SPARKS, "EMBER_LISTEN": "127.0.0.1:0"})
    assert done.returncode == 0 and "will be made by the first start" in done.stdout, done.stdout
    assert not (tmp_path / "none").exists()


def test_doctor_reads_the_configuration(doctor):
    doctor.conf("listen = 127.0.0.1:0\nnodez = 1\n")
    status, detail = doctor.one("configuration")
    assert status == "fail" and "ember.conf:2: there is no option nodez; did you mean nodes?" in detail


def test_doctor_finds_a_busy_port(doctor):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        doctor.conf("listen = 127.0.0.1:%d\n" % s.getsockname()[1])
        status, detail = doctor.one("port")
        assert status == "fail" and "Address already in use" in detail and "--listen" in detail


@pytest.mark.parametrize("mode, status, words", [(0o700, "ok", "private"), (0o755, "warn", "chmod 700"), (0o777, "fail", "chmod 700")])
def test_doctor_looks_at_who_may_see_the_data(doctor, mode, status, words):
    doctor.data.chmod(mode)
    found = doctor.one("data directory")
    assert found[0] == status and words in found[1]


def test_doctor_looks_at_who_may_read_the_keys_in_the_database(doctor):
    path = doctor.data / "ember.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t(a)")
    path.chmod(0o644)
    assert doctor.one("database")[0] == "ok" # nobody comes to it
    doctor.data.chmod(0o755)
    assert doctor.run()["database"][0] == ("fail", "others may read %s, which holds keys: start emberd anew, or chmod 600 %s" % (path, path))
    path.chmod(0o600)
    assert doctor.one("database")[0] == "ok"


def test_doctor_looks_at_who_may_read_the_root_key(doctor):
    key = doctor.data / "root-credentials"
    key.write_text("[ember]\n")
    key.chmod(0o644)
    assert doctor.one("root key")[0] == "fail"
    key.chmod(0o600)
    assert doctor.one("root key")[0] == "ok"


def test_doctor_finds_a_damaged_database(doctor):
    path = doctor.data / "ember.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t(a, b)")
        db.execute("CREATE INDEX i ON t(a)")
        db.executemany("INSERT INTO t VALUES (?, ?)", [(str(i), "x" * 100) for i in range(1000)])
        db.commit()
    assert doctor.one("database") == ("ok", "%s is whole" % path)
    data = bytearray(path.read_bytes())
    data[4096 * 5:4096 * 7] = b"\xa5" * 8192
    path.write_bytes(data)
    status, detail = doctor.one("database")
    assert status == "fail" and str(path) in detail and "backup" in detail


@pytest.mark.parametrize("days, status", [(2, "warn"), (400, "ok"), (-1, "fail")])
def test_doctor_says_when_the_certificate_ends(doctor, tmp_path, days, status):
    for command in (["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "request", "-subj", "/CN=ember"],
                    ["x509", "-req", "-in", "request", "-signkey", "key.pem", "-days", str(days), "-out", "cert.pem"]):
        subprocess.run(["openssl", *command], check=True, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    doctor.conf("listen = 127.0.0.1:0\ntls-cert = %s/cert.pem\ntls-key = %s/key.pem\n" % (tmp_path, tmp_path))
    assert doctor.one("certificate")[0] == status


def test_doctor_finds_a_low_limit_of_files(doctor):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))
    status, detail = doctor.one("open files", preexec_fn=limit)
    assert status == "fail" and "LimitNOFILE" in detail


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_doctor_finds_a_full_disk(doctor):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "ember-small", doctor.data], check=True)
    try:
        status, detail = doctor.one("disk")
        assert status == "fail" and "make room" in detail
    finally:
        subprocess.run(["umount", doctor.data], check=True)


def test_doctor_finds_pods_without_a_daemon(doctor):
    for name in ("alive", "ended"):
        (doctor.data / "pods" / name).mkdir(parents=True)
        (doctor.data / "pods" / name / "lock").touch()
    with open(doctor.data / "pods/alive/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, detail = doctor.one("pods")
    assert status == "warn" and detail.startswith("1 run and 1 have ended without emberd")


def test_doctor_finds_networks_of_clusters_that_are_gone(doctor, tmp_path):
    link = pathlib.Path("/tmp/.ember-network-127.test-%d" % os.getpid())
    link.symlink_to(tmp_path / "gone")
    try:
        assert ("warn", "%s holds addresses for %s, which is gone: rm %s" % (link, tmp_path / "gone", link)) in doctor.run()["networks"]
    finally:
        link.unlink()


def test_doctor_formats(doctor):
    done = subprocess.run([EMBER, "doctor", "--output", "xml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180)
    assert done.returncode == 2 and "--output xml is neither of what ember doctor prints" in done.stderr
