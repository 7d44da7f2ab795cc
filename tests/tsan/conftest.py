"""emberd built with ThreadSanitizer (EMBER_BUILD), its release a small program of ours: tests/faults has the same one. A report ends the
daemon with a code of its own and stands in its log: Ember.stop and check_nothing_left look at both."""
import pathlib, sys, tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from ember import EMBERD
from jobs import JobEmber


@pytest.fixture(scope="session", autouse=True)
def built_with_the_sanitizer():
    assert b"__tsan_init" in EMBERD.read_bytes(), "%s does not look for races: run make tsan" % EMBERD


@pytest.fixture(scope="module")
def ember():
    with tempfile.TemporaryDirectory(prefix="ember-tsan-") as folder:
        daemon = JobEmber(folder).start()
        daemon.prepare()
        try:
            yield daemon
        finally:
            if daemon.process:
                daemon.stop()
            daemon.check_nothing_left()
