"""emberd with a release that is a small program of ours instead of Spark: its entry point does what the job's arguments say, in milliseconds."""
import pathlib, sys, tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from jobs import JobEmber


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="ember-fault-") as path:
        yield path


@pytest.fixture(scope="module")
def ember(folder):
    daemon = JobEmber(folder).start()
    daemon.prepare()
    try:
        yield daemon
    finally:
        if daemon.process:
            daemon.stop()
        daemon.check_nothing_left()
