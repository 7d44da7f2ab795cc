"""One emberd for each test module; after the module it must stop cleanly and leave nothing."""
import pathlib, sys, tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ember import EMBERD, Ember, running


@pytest.fixture(scope="module")
def folder():
    """Short and outside pytest's own folders: unix sockets have room for 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as path:
        yield path


@pytest.fixture(scope="module")
def ember(folder):
    if not EMBERD.exists():
        pytest.fail("there is no %s: run make build, or say with EMBER_BUILD where it is" % EMBERD)
    with running(Ember(folder)) as daemon:
        yield daemon
