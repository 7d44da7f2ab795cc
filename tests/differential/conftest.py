"""The verifier (verify.c): the real edge with keys and clock of ours; and the real emberd, once plain and once under TLS."""
import os, pathlib, re, sqlite3, subprocess, sys, tempfile

import pytest

HERE = pathlib.Path(__file__).parent
os.environ["EMBER_RECORD"] = "" # verify.c is no service: what it answers is not for the model
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
import calls
from ember import BUILD, REPORTS

from wire import exchange

# One seed for all that is random here, the same in every `make test`; --long draws one. A failing run is repeated with EMBER_SEED=…
SEED = int(os.environ.setdefault("EMBER_SEED", str(int.from_bytes(os.urandom(4), "big")) if os.environ.get("EMBER_LONG") else "1")) # workers inherit it


def pytest_report_header(config):
    return "EMBER_SEED=%d" % SEED


class Verifier:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        program = BUILD / "tests/differential/differential_verify"
        assert program.exists(), "there is no %s: make debug builds it" % program
        self.log_path = self.folder / "log"
        self.process = subprocess.Popen([program, self.folder, calls.KEY_ID, calls.SECRET], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(self.log_path, "wb"), text=True)
        line = self.process.stdout.readline()
        assert line, self.log_path.read_text()[-4000:]
        self.port = int(line)
        with sqlite3.connect(self.folder / "ember.db", timeout=120) as db: # as the reconciler makes one
            db.execute("INSERT INTO access_key(access_key_id, secret, session_token, principal_arn, user_id, job_run_id, created_at) VALUES(?,?,?,?,?,?,?)",
                       (calls.SESSION_ID, calls.SESSION_SECRET, calls.TOKEN, "arn:aws:sts::111122223333:assumed-role/job/run", "AROATEST:run", None, 0))
        db.close()

    def clock(self, ms):
        self.process.stdin.write("clock %d\n" % ms)
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n", self.log_path.read_text()[-4000:]

    def send(self, request):
        return exchange(self.port, request)

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(180)
        log = self.log_path.read_text(errors="replace")
        assert code == 0 and not REPORTS.search(log), log[-10000:]
        assert not [line for line in log.splitlines() if '"level":"error"' in line]


@pytest.fixture(scope="module")
def verifier():
    with tempfile.TemporaryDirectory(prefix="ember-diff-") as folder:
        made = Verifier(folder)
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="session")
def seed():
    print("EMBER_SEED=%d" % SEED) # pytest shows it beside a failure
    return SEED
