"""Every answer of the end-to-end and fault tests against the models, one test an operation. The record is made by tools/test's e2e and
faults suites; whether every operation was called is asked only when both ran whole (EMBER_CALLED=all)."""
import os, pathlib, sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import checker, exchanges

RECORD = exchanges.read_all()
BY_OPERATION = {}
for one in RECORD:
    BY_OPERATION.setdefault((one.service, one.operation), []).append(one)
NAMED = sorted({*exchanges.served(), *BY_OPERATION} - {(service, None) for service in exchanges.services()})
UNCALLED = {row["of"]: row["reason"] for row in exchanges.allowed("uncalled")}


def assert_good(found):
    told = []
    for exchange in found:
        for problem in checker.problems_of(exchange):
            told.append("%s\n    %s" % (problem, exchange))
    assert not told, "%d problems in %d exchanges, of these:\n%s" % (len(told), len(found), "\n".join(told[:15]))


@pytest.mark.parametrize("service, operation", NAMED, ids=["%s:%s" % row for row in NAMED])
def test_operation(service, operation):
    found = BY_OPERATION.get((service, operation), [])
    if os.environ.get("EMBER_CALLED") == "all" and (service, operation) in exchanges.served():
        called = any(e.status < 300 for e in found)
        listed = "%s:%s" % (service, operation) in UNCALLED
        assert called or listed, "no test of e2e or faults calls %s:%s with success" % (service, operation)
        assert not (called and listed), "%s:%s is called: take it out of tests/model/allowed.toml" % (service, operation)
    elif not found:
        pytest.skip("not in the record: run the suites e2e and faults before")
    assert_good(found)


@pytest.mark.parametrize("service", exchanges.services())
def test_answers_to_no_operation(service):
    # What is under /ember/ is no service of AWS's: its own tests look at it.
    found = [e for e in BY_OPERATION.get((service, None), []) if not e.path.startswith("/ember/")]
    if not found:
        pytest.skip("none in the record")
    assert_good(found)


def test_what_is_allowed_has_reasons():
    served = {"%s:%s" % row for row in exchanges.served()}
    for row in exchanges.allowed("uncalled") + exchanges.allowed("undeclared"):
        assert row["reason"] and row["of"] in served, row
