"""ember run, jobs and logs, as people and as scripts use them: with and without a terminal."""
import contextlib, fcntl, json, os, pty, re, select, shutil, signal, struct, subprocess, termios, threading, time, uuid

import pytest

from ember import EMBER, running, wait_for
from jobs import BUCKET, FINAL, GROUP, JobEmber

ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def jobs(folder):
    with running(JobEmber(folder)) as daemon:
        yield daemon.prepare()


def submit(jobs, *words, **more):
    return jobs.emr.start_job_run(**dict(jobs.request(*words, clientToken=str(uuid.uuid4()), monitoring=more.pop("monitoring", None)), **more))["id"]


@pytest.fixture(scope="module")
def ended(jobs):
    """A run that went well and one that failed, both over."""
    good = submit(jobs, "out=hello", "err=oops", name="good-one")
    bad = submit(jobs, "out=bye", "exit=3", name="bad-one")
    jobs.wait_state(good, "COMPLETED")
    jobs.wait_state(bad, "FAILED")
    return good, bad


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "my_job.py"
    path.write_text("print(1)\n")
    return path


class Terminal:
    """A command of ember on a terminal of its own."""

    def __init__(self, jobs, *args, columns=100, rows=30, **env):
        self.seen = ""
        pid, self.fd = pty.fork()
        if pid == 0:
            os.execve(EMBER, [str(EMBER), *map(str, args)], dict(jobs.env, **{"TERM": "xterm", **env}))
        self.pid, self.code = pid, None
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, timeout_s=0.1):
        if not select.select([self.fd], [], [], timeout_s)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError: # the other side is closed
            data = b""
        self.seen += data.decode(errors="replace")
        return bool(data)

    def expect(self, text, timeout_s=180):
        deadline = time.monotonic() + timeout_s
        while text not in self.seen:
            assert time.monotonic() < deadline, "no %r in %r" % (text, self.seen)
            assert self.read() or text in self.seen, "it ended without %r: %r" % (text, self.seen)
        return self

    def type(self, text):
        self.seen = ""
        os.write(self.fd, text.encode())
        return self

    def wait(self, timeout_s=180):
        """The exit status as a shell sees it."""
        deadline = time.monotonic() + timeout_s
        while self.read():
            assert time.monotonic() < deadline, self.seen
        _, status = os.waitpid(self.pid, 0)
        self.pid = None
        self.code = os.waitstatus_to_exitcode(status)
        return self.code if self.code >= 0 else 128 - self.code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def lines(done):
    return done.stdout.decode().splitlines()


# ---- ember jobs ----

def test_the_table_names_the_cause_of_a_failure(jobs, ended):
    head, *rows = lines(jobs.ember("jobs"))
    assert re.split(r"\s\s+", head) == ["ID", "NAME", "STATE", "VIRTUAL CLUSTER", "AGE", "DURATION", "CAUSE"]
    row = [r for r in rows if ended[1] in r][0]
    assert re.split(r"\s\s+", row)[1:4] == ["bad-one", "FAILED", "demo"]
    assert row.endswith("The driver ended with exit code 3")
    assert [r.split()[0] for r in rows] == sorted((r.split()[0] for r in rows), reverse=True)


def test_filters(jobs, ended):
    good, bad = ended
    ids = lambda *args: [line.split("\t")[0] for line in lines(jobs.ember("jobs", "--output", "text", *args))]
    assert bad in ids("--state", "FAILED") and good not in ids("--state", "FAILED")
    assert {good, bad} <= set(ids("--state", "FAILED,COMPLETED"))
    assert {good, bad} <= set(ids("--state", "FAILED", "--state", "COMPLETED"))
    assert ids("--name", "good-one") == [good]
    assert {good, bad} <= set(ids("--since", "1h")) and ids("--since", "2100-01-01") == []
    assert ids("--virtual-cluster", "demo") == ids("--virtual-cluster", jobs.virtual_cluster)
    assert len(ids("--limit", "1")) == 1


def test_text_and_json_are_for_programs(jobs, ended):
    row = [line.split("\t") for line in lines(jobs.ember("jobs", "--output", "text")) if ended[1] in line][0]
    assert row[1:4] == ["bad-one", "FAILED", jobs.virtual_cluster] and row[6] == "USER_ERROR" and len(row) == 8
    runs = json.loads(jobs.ember("jobs", "--output", "json").stdout)["jobRuns"]
    assert set(ended) <= {run["id"] for run in runs}
    assert "virtualClusterName" not in runs[0]


def test_what_is_not_there_is_told(jobs, ended):
    done = jobs.ember("jobs", "--name", "nobody")
    assert done.stdout == b"" and done.stderr == b"No job run is like that.\n"
    for args, code, words in ((["jobs", "--virtual-cluster", "nowhere"], 1, "there is no virtual cluster nowhere; there are: demo"),
                              (["jobs", "show", "0" * 19], 1, "there is no job run"), (["logs", "0" * 19], 1, "there is no job run"),
                              (["jobs", "show", "x"], 1, "there is no job run"), (["jobs", "show", "../x"], 2, "no id of a job run"),
                              (["jobs", "--since", "soon"], 2, "--since"), (["jobs", "--limit", "0"], 2, "--limit"),
                              (["logs", "x", "--all", "--stderr"], 2, "--all"), (["run", "x.txt"], 2, ".py"), (["run", "none.py"], 1, "No such file"),
                              (["run", "x.py", "y"], 2, "behind --"), (["completion", "fish"], 2, "fish"), (["man", "fly"], 2, "fly")):
        done = jobs.ember(*args, ok=False)
        assert done.returncode == code, (args, done)
        assert done.stderr.decode().startswith("ember: ") and words in done.stderr.decode() and len(done.stderr.splitlines()) == 1, (args, done.stderr)
        assert done.stdout == b""


def test_show_tells_everything(jobs, ended):
    run = jobs.describe(ended[1])
    text = jobs.ember("jobs", "show", ended[1]).stdout.decode()
    for member in ("id", "name", "state", "failureReason", "stateDetails", "virtualClusterId", "createdBy", "releaseLabel", "executionRoleArn", "arn", "clientToken"):
        assert run[member] in text, member
    for word in ("out=bye", "exit=3", GROUP, "s3://" + BUCKET):
        assert word in text
    shown = json.loads(jobs.ember("jobs", "show", ended[1], "--output", "json").stdout)
    assert shown["id"] == ended[1] and shown["jobDriver"] == run["jobDriver"]


def test_attempts_are_shown(jobs):
    run = submit(jobs, "out=again", "exit=1", retryPolicyConfiguration={"maxAttempts": 1})
    jobs.wait_state(run, "FAILED")
    assert re.search(r"^Attempt +1 of 1$", jobs.ember("jobs", "show", run).stdout.decode(), re.M)


def test_a_virtual_cluster_must_be_named_when_there_are_several(jobs, script):
    namespace = jobs.namespace("another")
    other = jobs.emr.create_virtual_cluster(name="other", containerProvider={"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": namespace}}})["id"]
    try:
        done = jobs.ember("run", "--create", script, ok=False)
        assert done.returncode == 2 and b"say with --virtual-cluster" in done.stderr and other.encode() in done.stderr
        run = jobs.ember("run", "--create", "--detach", "--virtual-cluster", "other", script, "--", "out=x").stdout.decode().strip()
        wait_for(lambda: jobs.emr.describe_job_run(virtualClusterId=other, id=run)["jobRun"]["state"] in FINAL, "the run to end")
        assert jobs.ember("logs", run).stdout == b"x\n"
        assert "other" in [line for line in lines(jobs.ember("jobs")) if run in line][0]
    finally:
        jobs.emr.delete_virtual_cluster(id=other)
    wait_for(lambda: jobs.emr.describe_virtual_cluster(id=other)["virtualCluster"]["state"] == "TERMINATED", "it to be gone")
    assert run not in jobs.ember("jobs").stdout.decode()
    assert run in jobs.ember("jobs", "show", run).stdout.decode()


def test_a_pipe_that_is_closed_early_is_no_complaint(jobs, ended):
    done = subprocess.run(["bash", "-c", '"$0" jobs --output text | head -1; echo "${PIPESTATUS[0]}"; "$0" logs -f --all "$1" | true; echo "${PIPESTATUS[0]}"', EMBER, ended[0]],
                          env=jobs.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=180, text=True)
    assert done.stderr == ""
    assert set(done.stdout.splitlines()[1:]) <= {"0", "141"} # whether it had written all by then


def every_command(ended):
    return [["--help"], ["help", "jobs"], ["--version"], ["jobs"], ["jobs", "--output", "json"], ["jobs", "show", ended[0]], ["jobs", "show", ended[0], "--effective"],
            ["events"], ["events", "--output", "json"], ["logs", ended[0]], ["clusters"], ["env"], ["kubeconfig"], ["completion", "bash"], ["completion", "zsh"],
            ["man"], ["man", "jobs"]]


def test_a_stdout_that_is_gone_or_closed_is_no_success(jobs, ended):
    for args in every_command(ended):
        done = subprocess.run(["bash", "-c", '"$0" "$@" | :; exit ${PIPESTATUS[0]}', EMBER, *args], env=jobs.env, stderr=subprocess.PIPE, timeout=180)
        assert done.returncode in (0, 141) and done.stderr == b"", (args, done) # 0: all was written by then
        done = subprocess.run(["bash", "-c", '"$0" "$@" >&-', EMBER, *args], env=jobs.env, stderr=subprocess.PIPE, timeout=180)
        assert done.returncode == 1 and done.stderr == b"ember: the output cannot be written: Bad file descriptor\n", (args, done)


def test_a_full_disk_is_told(jobs, ended):
    with open("/dev/full", "w") as full:
        done = subprocess.run([EMBER, "jobs"], env=jobs.env, stdout=full, stderr=subprocess.PIPE, timeout=180)
    assert done.returncode == 1 and b"No space left" in done.stderr


def test_colours_are_for_terminals_that_want_them(jobs, ended):
    assert ESCAPE.encode() not in jobs.ember("jobs", env={"TERM": "xterm"}).stdout
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        with Terminal(jobs, "jobs", **env) as terminal:
            assert terminal.wait() == 0
            assert (ESCAPE in terminal.seen) == coloured, terminal.seen
            assert ended[0] in terminal.seen


def test_a_line_never_wraps(jobs, ended):
    with Terminal(jobs, "jobs", "--watch", columns=50, NO_COLOR="1") as terminal:
        terminal.expect("job runs").expect("\x1b[") # drawn a second time, now surely with this width
        terminal.seen = ""
        terminal.expect("job runs").expect("\x1b[")
        for line in terminal.seen.replace("\r", "").split("\n"):
            assert len(re.sub(r"\x1b\[[0-9]*[A-Za-z]", "", line)) <= 50, line
        terminal.type("\x03")
        assert terminal.wait() == 130


def test_foreign_bytes_move_no_cursor(jobs):
    run = submit(jobs, "out=\x1b]0;title\x07\x1b[2Jgrö\u202eße", "exit=4", name="odd", tags={"note": "größe\u202e"})
    jobs.wait_state(run, "FAILED")
    for args in (["jobs", "show", run], ["logs", run], ["logs", "--all", run]):
        with Terminal(jobs, *args, NO_COLOR="1") as terminal:
            assert terminal.wait() == 0
            assert ESCAPE not in terminal.seen and "\x07" not in terminal.seen and "\u202e" not in terminal.seen, terminal.seen
            assert "\\x1b" in terminal.seen and "grö" in terminal.seen
    assert "\x1b]0;title\x07\x1b[2Jgrö\u202eße\n" == jobs.ember("logs", run).stdout.decode() # whoever reads a pipe gets the bytes


# ---- --watch ----

@contextlib.contextmanager
def watching(jobs, *args):
    """The lines that ember jobs --watch has written so far."""
    process = subprocess.Popen([EMBER, "jobs", "--watch", *args], env=jobs.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    got = []
    appended = threading.Thread(target=lambda: [got.append(line) for line in process.stdout])
    appended.start()
    try:
        yield got
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == -signal.SIGINT
    finally:
        process.kill()
        process.wait()
        appended.join()
        process.stdout.close()
        process.stderr.close()


def test_watch_in_a_pipe_appends_a_line_for_each_change(jobs):
    with watching(jobs, "--name", "watched") as got:
        run = submit(jobs, "gate=watched", "exit=5", name="watched")
        wait_for(lambda: any("RUNNING" in line for line in got), "the run to be seen")
        jobs.open_gate("watched")
        wait_for(lambda: any("FAILED" in line for line in got), "the end to be told")
    states = [line.split()[3] for line in got]
    assert states[-1] == "FAILED" and "RUNNING" in states and len(states) == len({line.split(None, 1)[1] for line in got})
    assert all(run in line and ESCAPE not in line for line in got)
    assert got[-1].rstrip().endswith("exit code 5")


def test_watch_tells_that_a_run_left_the_filter(jobs):
    with watching(jobs, "--name", "leaving", "--state", "RUNNING", "--output", "json") as got:
        submit(jobs, "gate=leaving", name="leaving")
        wait_for(lambda: any("RUNNING" in line for line in got), "the run to be seen")
        jobs.open_gate("leaving")
        wait_for(lambda: any("COMPLETED" in line for line in got), "the end to be told")
    assert [json.loads(line)["state"] for line in got] == ["RUNNING", "COMPLETED"]


def test_watch_goes_on_over_a_restart_of_emberd(jobs):
    run = submit(jobs, "sleep=600", name="over")
    jobs.wait_state(run, "RUNNING")
    with Terminal(jobs, "jobs", "--watch", "--name", "over", NO_COLOR="1") as terminal, watching(jobs, "--name", "over") as got:
        terminal.expect("RUNNING")
        wait_for(lambda: any("RUNNING" in line for line in got), "the state to be told")
        jobs.stop()
        terminal.expect("Ember does not answer; waiting for it.")
        terminal.seen = ""
        jobs.start()
        terminal.expect("Ember answers again.").expect("RUNNING")
        jobs.emr.cancel_job_run(virtualClusterId=jobs.virtual_cluster, id=run)
        terminal.expect("CANCELLED")
        wait_for(lambda: any("CANCELLED" in line for line in got), "the end to be told")
        assert len([line for line in got if "RUNNING" in line]) == 1 # nothing is told again
        terminal.type("\x03")
        assert terminal.wait() == 130


def test_without_a_daemon_there_is_one_clear_sentence(jobs, ended):
    by_folder = {k: v for k, v in jobs.env.items() if not k.startswith("AWS_")}
    clients = [["jobs"], ["jobs", "--watch"], ["jobs", "show", ended[0]], ["logs", ended[0]], ["logs", "-f", ended[0]], ["events"], ["events", "--follow"]]
    jobs.stop()
    try:
        for env, commands, words in ((dict(jobs.env), clients, "Ember does not answer at %s (" % jobs.env["AWS_ENDPOINT_URL"]),
                                     (by_folder, clients + [["env"], ["configure"], ["clusters"], ["kubeconfig"]], "no emberd runs on %s: start it" % jobs.data_dir)):
            for args in commands:
                done = subprocess.run([EMBER, *args], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=180, text=True)
                assert (done.returncode, done.stdout) == (1, "") and done.stderr.startswith("ember: " + words) and done.stderr.count("\n") == 1, (args, done)
    finally:
        jobs.start()


def test_watch_on_a_terminal_redraws(jobs):
    with Terminal(jobs, "jobs", "--watch", "--name", "drawn") as terminal:
        terminal.expect("0 of 0 job runs")
        run = submit(jobs, "gate=drawn", name="drawn")
        terminal.expect(run)
        jobs.open_gate("drawn")
        terminal.expect(run).expect("COMPLETED")
        assert "\x1b[2A" in terminal.seen and "\x1b[J" in terminal.seen
        terminal.type("\x03")
        assert terminal.wait() == 130


# ---- ember logs ----

def test_logs_from_cloudwatch_and_from_s3(jobs, ended):
    s3 = {"s3MonitoringConfiguration": {"logUri": "s3://%s/some/where/" % BUCKET}}
    run = submit(jobs, "lines=3", "err=problem", monitoring=s3)
    jobs.wait_state(run, "COMPLETED")
    assert jobs.ember("logs", run).stdout == b"line 0\nline 1\nline 2\n"
    assert jobs.ember("logs", "-f", run).stdout == b"line 0\nline 1\nline 2\n"
    assert jobs.ember("logs", run, "--stderr").stdout == b"problem\n"
    assert jobs.ember("logs", ended[0]).stdout == b"hello\n"
    assert jobs.ember("logs", ended[0], "--stderr").stdout == b"oops\n"
    assert sorted(lines(jobs.ember("logs", ended[0], "--all"))) == ["driver stderr | oops", "driver stdout | hello"]


def test_logs_that_are_nowhere_are_explained(jobs, ended):
    run = submit(jobs, "out=lost", monitoring={})
    jobs.wait_state(run, "COMPLETED")
    done = jobs.ember("logs", run, ok=False)
    assert done.returncode == 1 and b"kept nowhere" in done.stderr and b"kubectl logs" in done.stderr
    done = jobs.ember("logs", ended[0], "--executor", "7")
    assert done.stdout == b"" and b"Executor 7" in done.stderr and b"ember logs --all" in done.stderr
    done = jobs.ember("logs", ended[1], "--stderr")
    assert b"wrote nothing to stderr; the run is FAILED: The driver ended with exit code 3." in done.stderr


def test_logs_of_executors(jobs):
    """What Spark's executors write lies beside the driver's; here somebody else put it there."""
    run = submit(jobs, "out=d")
    jobs.wait_state(run, "COMPLETED")
    stream = "pi/%s/jobs/%s/containers/spark-%s/spark-%s-exec-%s/stdout"
    for n in (1, 2):
        name = stream % (jobs.virtual_cluster, run, run, run, n)
        jobs.client("logs").create_log_stream(logGroupName=GROUP, logStreamName=name)
        jobs.client("logs").put_log_events(logGroupName=GROUP, logStreamName=name, logEvents=[{"timestamp": int(time.time() * 1000), "message": "e%d" % n}])
    assert jobs.ember("logs", run).stdout == b"d\n"
    assert jobs.ember("logs", run, "--executor", "2").stdout == b"e2\n"
    assert lines(jobs.ember("logs", run, "--all")) == ["driver stdout | d", "exec-1 stdout | e1", "exec-2 stdout | e2"]
    assert lines(jobs.ember("logs", run, "--all", "--driver")) == ["driver stdout | d"]


def test_follow_goes_on_over_a_restart_of_emberd(jobs):
    run = submit(jobs, "out=before", "gate=followed", "out=after")
    process = subprocess.Popen([EMBER, "logs", "-f", run], env=jobs.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "before\n"
        jobs.kill()
        while process.stderr.readline() != "Ember does not answer; waiting for it.\n": # states, before it
            assert process.poll() is None
        jobs.start()
        jobs.open_gate("followed")
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()
    assert (out, process.returncode) == ("after\n", 0)
    assert err.splitlines()[0] == "Ember answers again." and "does not answer" not in err


# ---- ember run ----

def test_run_ends_as_the_job_ends(jobs, script):
    done = jobs.ember("run", "--create", script, "--name", "mine", "--executors", "3", "--conf", "spark.x=a b", "--", "out=one", "out=two words", "exit=0")
    assert done.stdout == b"one\ntwo words\n"
    run = jobs.describe(re.search(r"Job run (\w+)", done.stderr.decode()).group(1))
    driver = run["jobDriver"]["sparkSubmitJobDriver"]
    assert run["name"] == "mine" and run["clientToken"]
    assert driver["sparkSubmitParameters"] == "--conf spark.executor.instances=3 --conf 'spark.x=a b'"
    assert driver["entryPoint"].startswith("s3://ember-run-111122223333-us-east-1/") and driver["entryPoint"].endswith("/my_job.py")
    done = jobs.ember("run", script, "--", "out=x", "exit=42", ok=False)
    assert done.returncode == 42 and done.stdout == b"x\n" and b"is FAILED: The driver ended with exit code 42." in done.stderr
    assert b"ember logs --stderr" in done.stderr


def test_the_same_content_is_uploaded_once(jobs, script):
    one, two = (jobs.ember("run", "--create", "--detach", script).stdout.decode().strip() for _ in range(2))
    script.write_text("print(2)\n")
    three = jobs.ember("run", "--create", "--detach", script).stdout.decode().strip()
    entry = lambda run: jobs.describe(run)["jobDriver"]["sparkSubmitJobDriver"]["entryPoint"]
    assert entry(one) == entry(two) != entry(three)
    bucket, key = entry(one)[5:].split("/", 1)
    assert jobs.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b"print(1)\n"
    for run in (one, two, three):
        jobs.wait_state(run, *FINAL)


def test_nothing_is_made_without_being_asked_for(folder, tmp_path, script):
    daemon = JobEmber(tmp_path)
    try:
        daemon.start()
        done = daemon.ember("run", script, ok=False)
        assert done.returncode == 1 and b"there is no RUNNING virtual cluster" in done.stderr and b"--create" in done.stderr
        assert daemon.emr.list_virtual_clusters()["virtualClusters"] == [] and daemon.client("s3").list_buckets()["Buckets"] == []
        assert daemon.ember("jobs").stderr == b"There are no job runs yet. Start one: ember run my_job.py\n"
        done = daemon.ember("run", "--create", script, "--", "out=made")
        assert done.stdout == b"made\n" and b"Made the virtual cluster default" in done.stderr and b"Made the bucket ember-run-" in done.stderr
    finally:
        if daemon.process:
            daemon.stop()
    daemon.check_nothing_left()


def test_it_tells_what_it_waits_for(jobs, script):
    with Terminal(jobs, "run", "--create", script, "--", "sleep=3", "out=done", NO_COLOR="1") as terminal:
        terminal.expect(" for ").expect("done")
        assert terminal.wait() == 0
        assert re.search(r"(PENDING|SUBMITTED|RUNNING) for \d+s", terminal.seen)
        assert terminal.seen.rstrip().endswith("done")


def script_running(jobs, script, *options, words=("out=up", "sleep=600")):
    return Terminal(jobs, "run", "--create", *options, script, "--", *words, NO_COLOR="1").expect("up\r\n")


def run_id(terminal):
    return re.search(r"Job run (\w+)", terminal.seen).group(1)


def test_ctrl_c_asks_and_cancels(jobs, script):
    with script_running(jobs, script) as terminal:
        run = run_id(terminal)
        terminal.type("\x03").expect("[c]ancel, [d]etach, [Enter] go on: ").type("what\n").expect("[c]ancel").type("c\n").expect("CANCELLED")
        assert terminal.wait() == 130
    assert jobs.describe(run)["state"] == "CANCELLED"


def test_ctrl_c_and_enter_go_on(jobs, script):
    with script_running(jobs, script, words=("out=up", "gate=go-on", "out=end", "exit=6")) as terminal:
        terminal.type("\x03").expect("go on: ").type("\n")
        jobs.open_gate("go-on")
        terminal.expect("end")
        assert terminal.wait() == 6


@pytest.mark.parametrize("answer", ["d\n", "\x03", "\x04"])
def test_ctrl_c_and_detach_leave_the_run_alone(jobs, script, answer):
    gate = "alone-%d" % ord(answer[0])
    with script_running(jobs, script, words=("out=up", "gate=" + gate)) as terminal:
        run = run_id(terminal)
        terminal.type("\x03").expect("go on: ").type(answer).expect("ember logs -f " + run)
        assert terminal.wait() == 130
    jobs.open_gate(gate)
    jobs.wait_state(run, "COMPLETED")


def request_waits(jobs):
    """Bytes for emberd lie in the kernel."""
    port = ":%04X" % int(jobs.listen.rsplit(":")[-1])
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    return any(row[1].endswith(port) and int(row[4].split(":")[1], 16) > 0 for row in rows[1:] if row[3] == "01")


def test_ctrl_c_is_heard_while_emberd_hangs(jobs, script):
    with script_running(jobs, script, words=("out=up", "gate=hangs")) as terminal:
        run = run_id(terminal)
        jobs.process.send_signal(signal.SIGSTOP)
        try:
            wait_for(lambda: request_waits(jobs), "a call to be under way")
            terminal.type("\x03").expect("go on: ").type("d\n")
            assert terminal.wait() == 130
        finally:
            jobs.process.send_signal(signal.SIGCONT)
    jobs.open_gate("hangs")
    jobs.wait_state(run, "COMPLETED")


def test_sql_is_run_with_its_options(jobs, tmp_path):
    query = tmp_path / "report.sql"
    query.write_text("select 1;\n")
    run = jobs.ember("run", "--create", "--detach", query, "--", "--hivevar", "day=1 2").stdout.decode().strip()
    driver = jobs.wait_state(run, *FINAL)["jobDriver"]["sparkSqlJobDriver"]
    assert driver["sparkSqlParameters"] == "--conf spark.executor.instances=2 --hivevar 'day=1 2'"
    assert driver["entryPoint"].endswith("/report.sql")


@pytest.mark.parametrize("options,state,words", [([], "COMPLETED", "goes on"), (["--on-interrupt", "cancel"], "CANCELLED", "Cancelling")])
def test_without_a_terminal_nobody_is_asked(jobs, script, options, state, words):
    process = subprocess.Popen([EMBER, "run", "--create", *options, script, "--", "out=up", "gate=" + state], env=jobs.env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=180)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130 and words in err
    if state == "COMPLETED":
        jobs.open_gate(state)
    jobs.wait_state(re.search(r"Job run (\w+)", err).group(1), state)


# ---- who asks ----

def test_the_data_directory_is_enough(jobs, ended):
    env = {k: v for k, v in jobs.env.items() if not k.startswith("AWS_") and k != "EMBER_DATA_DIR"}
    done = subprocess.run([EMBER, "jobs", "--data-dir", jobs.data_dir], env=env, stdout=subprocess.PIPE, check=True, timeout=180)
    assert ended[0] in done.stdout.decode()
    env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = "somebody", "else" # without an endpoint they are another account's
    subprocess.run([EMBER, "jobs"], env=dict(env, EMBER_DATA_DIR=str(jobs.data_dir)), stdout=subprocess.PIPE, check=True, timeout=180)


def test_it_needs_no_certificate_on_the_daemons_own_machine(tmp_path, script):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=far.example"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    daemon = JobEmber(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key))
    try:
        daemon.start()
        env = {k: v for k, v in daemon.env.items() if not k.startswith("AWS_")}
        done = subprocess.run([EMBER, "run", "--create", script, "--", "out=up"], env=env, stdout=subprocess.PIPE, check=True, timeout=180)
        assert done.stdout == b"up\n"
    finally:
        if daemon.process:
            daemon.stop()
    daemon.check_nothing_left()


def test_clusters_in_every_form(jobs):
    assert jobs.ember("clusters").stdout == b"local\n"
    assert jobs.ember("clusters", "--output", "table").stdout == b"NAME\nlocal\n"
    assert json.loads(jobs.ember("clusters", "--output=json").stdout) == {"clusters": [{"name": "local"}]}


def test_a_profile_is_enough(jobs, ended, tmp_path):
    files = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    jobs.ember("configure", env=files)
    env = {k: v for k, v in jobs.env.items() if not k.startswith("AWS_") and k != "EMBER_DATA_DIR"}
    done = subprocess.run([EMBER, "jobs"], env=dict(env, **files, AWS_PROFILE="ember"), stdout=subprocess.PIPE, check=True, timeout=180)
    assert ended[0] in done.stdout.decode()


def test_a_wrong_key_is_told_in_one_sentence(jobs):
    done = jobs.ember("jobs", ok=False, env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and b"signature" in done.stderr


def test_completion_of_bash(jobs):
    def complete(*words):
        script = 'source <("$0" completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ember; printf "%s\\n" "${COMPREPLY[@]}"'
        return subprocess.run(["bash", "-c", script, EMBER, "ember", *words], stdout=subprocess.PIPE, check=True, text=True, cwd=jobs.folder).stdout.split()
    assert {"run", "jobs", "logs", "doctor"} <= set(complete(""))
    assert complete("jo") == ["jobs"]
    assert complete("jobs", "--sta") == ["--state"] and complete("jobs", "--state", "CANCEL") == ["CANCEL_PENDING", "CANCELLED"]
    assert complete("jobs", "sh") == ["show"] and complete("completion", "z") == ["zsh"]
    assert complete("--data-dir", "/x", "jobs", "show", "--output", "j") == ["json"]
    assert complete("run", "emberd.lo") == ["emberd.log"]


class Prompt:
    """An interactive shell where Tab is pressed; what it offers is read off the terminal."""

    def __init__(self, jobs, folder, words, set_up):
        env = dict(jobs.env, PATH="%s:%s" % (os.path.dirname(EMBER), os.environ["PATH"]), TERM="xterm", HOME=str(folder), HISTFILE="/dev/null")
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
        os.write(self.fd, ("PS1='$ '; %s; printf 'READ''Y\\n'\n" % set_up).encode())
        self.until(b"READY\r")

    def until(self, mark):
        deadline = time.monotonic() + 180
        while mark not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 65536)
        text, self.seen = self.seen, b""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode(errors="replace"))

    def complete(self, line, tabs=1):
        """What the line became, and all that was shown meanwhile."""
        os.write(self.fd, line.encode() + b"\t" * tabs + b"\x18") # Control-X: tells the line, which the set-up has bound
        text = self.until(b">>")
        os.write(self.fd, b"\x15") # Control-U: an empty line again
        return re.search(r"<<(.*)>>", text).group(1), text

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def completes_as_it_should(prompt):
    for line, becomes in (("ember jo", "ember jobs "), ("ember jobs --sta", "ember jobs --state "), ("ember jobs sh", "ember jobs show "),
                          ("ember jobs --state COM", "ember jobs --state COMPLETED "), ("ember completion z", "ember completion zsh "),
                          ("ember run pro", "ember run program.py "), ("ember --data-dir /x jobs show --output j", "ember --data-dir /x jobs show --output json ")):
        assert prompt.complete(line)[0] == becomes
    for line, offered in (("ember ", ("run", "jobs", "logs", "doctor")), ("ember jobs --state ", ("CANCEL_PENDING", "RUNNING")),
                          ("ember jobs --", ("--state", "--watch", "--output", "--data-dir"))):
        shown = prompt.complete(line, tabs=2)[1]
        assert all(re.search(r"(?<![\w-])%s\b" % word, shown) for word in offered), shown
    assert "--output" not in prompt.complete("ember logs --", tabs=2)[1]


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh here")
@pytest.mark.parametrize("how", ["sourced", "in a folder"])
def test_completion_at_the_prompt_of_zsh(jobs, tmp_path, how):
    (tmp_path / "_ember").write_bytes(jobs.ember("completion", "zsh").stdout)
    (tmp_path / "program.py").write_text("")
    load = "fpath=(%s $fpath); autoload -Uz compinit && compinit -D -u" % tmp_path if how == "in a folder" else \
        "autoload -Uz compinit && compinit -D -u; source <(ember completion zsh)"
    tell = "finish() { print -r -- \"<<$BUFFER>>\" }; zle -N finish; bindkey '^X' finish; bindkey '^U' kill-whole-line"
    with Prompt(jobs, tmp_path, ["zsh", "-f", "-i"], "LISTMAX=0; setopt no_auto_menu; %s; %s" % (load, tell)) as prompt:
        completes_as_it_should(prompt)
        assert re.search(r"\bdoctor +-- say what", prompt.complete("ember ")[1]) # with what each is for


def test_completion_at_the_prompt_of_bash(jobs, tmp_path):
    (tmp_path / "program.py").write_text("")
    tell = "bind -x '\"\\C-x\": printf \"<<%s>>\\n\" \"$READLINE_LINE\"'; bind 'set completion-query-items 0'; bind 'set page-completions off'"
    with Prompt(jobs, tmp_path, ["bash", "--norc", "--noprofile", "-i"], "source <(ember completion bash); " + tell) as prompt:
        completes_as_it_should(prompt)


def test_every_command_has_help_and_a_manual_page(jobs):
    names = [line.split("  ")[1] for line in jobs.ember("--help").stdout.decode().split("\n\n")[1].splitlines()]
    for name in (re.sub(r" [A-Z\[].*| bash.*", "", n) for n in names):
        words = name.split()
        assert jobs.ember(*words, "--help").stdout.decode().startswith("Usage: ember " + name)
        assert jobs.ember("man", *words).stdout.startswith(b".\\\" Made by tools/man")
