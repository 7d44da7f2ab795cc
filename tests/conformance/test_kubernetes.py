"""An embedded cluster against what Kubernetes 1.34 answered: one test a recording (see kubernetes/replay.py), real kubectl included."""
import os, pathlib, sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).parent / "kubernetes"))
import replay  # noqa: E402

BUILD = pathlib.Path(os.environ.get("EMBER_BUILD") or ROOT / "build")
DEMO, KUBECTL = BUILD / "cluster_demo", ROOT / ".deps/bin/kubectl"


@pytest.fixture(scope="module")
def lines(request):
    """Name of a recording -> Future of the lines that differ. Those of the tests that were chosen, some at a time."""
    for program in (DEMO, KUBECTL):
        if not program.exists():
            pytest.fail("there is no %s: run make setup and make build" % program)
    chosen = [item.callspec.params["name"] for item in request.session.items
              if item.fspath == request.fspath and hasattr(item, "callspec") and "name" in item.callspec.params]
    cluster = replay.Cluster(str(DEMO)).start()
    try:
        replay.hold_pods_back(cluster.server)
        replayer = replay.Replay(cluster.server, str(KUBECTL))
        try:
            yield replayer.start(chosen)
        finally:
            replayer.close()
        cluster.stop()
    finally:
        cluster.remove()


@pytest.mark.parametrize("name", list(replay.replayed()))
def test_it_answers_as_recorded(lines, name):
    found = lines[name].result()
    assert not found, "\n".join(found[:40])


def test_every_recording_is_replayed_or_said_to_be_left_out():
    left_out, run = replay.LeftOut(), set(replay.replayed())
    for name in replay.recordings():
        if not name.startswith("spark-"):  # all of them in test_spark_requests.py
            assert (name in run) != left_out.whole(name), name
    cases = {replay.re.sub(r"\.1\.\d\d$", "", name) for name in replay.recordings()}
    assert not set(replay.CASES) - cases, "cases without a recording"


def test_every_row_of_what_is_left_out_names_something():
    names = replay.recordings()
    for row in replay.LeftOut().rows:
        if row[0].startswith("/"):
            continue
        hit = [n for n in names if replay.fnmatch.fnmatch(n, row[0])]
        assert hit, row
        for name in hit if len(row) == 2 else []:
            steps = replay.recording(name)["steps"]
            assert all(int(end) < len(steps) for part in row[1].split(",") for end in part.split("-")), row
