"""The operations of emr-containers and their words. Job runs here never get to run: tests of running jobs are elsewhere."""
import re, uuid

import pytest
from botocore.exceptions import ClientError

from ember import wait_for

ROLE = "arn:aws:iam::111122223333:role/job"
DRIVER = {"sparkSubmitJobDriver": {"entryPoint": "local:///usr/lib/spark/examples/src/main/python/pi.py"}}
PREFIX = "arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/"


def provider(namespace, cluster="local"):
    return {"type": "EKS", "id": cluster, "info": {"eksInfo": {"namespace": namespace}}}


@pytest.fixture(scope="module")
def emr(ember):
    return ember.client("emr-containers")


@pytest.fixture(scope="module")
def cluster(ember, emr):
    return emr.create_virtual_cluster(name="main", containerProvider=provider(ember.namespace("main")))["id"]


def error_of(function, **arguments):
    with pytest.raises(ClientError) as e:
        function(**arguments)
    response = e.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def test_a_virtual_cluster_lives_and_ends(ember, emr):
    ember.namespace("life")
    made = emr.create_virtual_cluster(name="life", containerProvider=provider("life"), tags={"k": "v"})
    assert re.fullmatch("[0-9a-z]{25}", made["id"]) and made["arn"] == PREFIX + made["id"] and made["name"] == "life"
    view = emr.describe_virtual_cluster(id=made["id"])["virtualCluster"]
    view.pop("createdAt")
    assert view == {"id": made["id"], "name": "life", "arn": made["arn"], "state": "RUNNING", "containerProvider": provider("life"),
                    "tags": {"k": "v"}, "schedulerStatus": {"currentInQueueJobRuns": 0, "currentConcurrentJobRuns": 0}}
    assert error_of(emr.create_virtual_cluster, name="again", containerProvider=provider("life")) == (
        400, "ValidationException", "A virtual cluster already exists in the given namespace")
    assert emr.delete_virtual_cluster(id=made["id"])["id"] == made["id"]
    assert emr.describe_virtual_cluster(id=made["id"])["virtualCluster"]["state"] in ("TERMINATING", "TERMINATED")
    wait_for(lambda: emr.describe_virtual_cluster(id=made["id"])["virtualCluster"]["state"] == "TERMINATED", "the virtual cluster to end")
    status, code, text = error_of(emr.delete_virtual_cluster, id=made["id"])
    assert code == "ValidationException" and "already terminated" in text
    assert made["id"] in [c["id"] for c in emr.list_virtual_clusters(states=["TERMINATED"])["virtualClusters"]]
    assert emr.create_virtual_cluster(name="again", containerProvider=provider("life"))["id"] != made["id"]


def test_limits_of_a_virtual_cluster_are_given_replaced_kept_and_cleared(ember, emr):
    ember.namespace("limits")
    given = {"maxConcurrentJobRuns": 2, "maxInQueueJobRuns": 5}
    cluster = emr.create_virtual_cluster(name="limits", containerProvider=provider("limits"), schedulerConfiguration=given)["id"]
    assert emr.describe_virtual_cluster(id=cluster)["virtualCluster"]["schedulerConfiguration"] == given
    token = str(uuid.uuid4())
    updated = emr.update_virtual_cluster(id=cluster, schedulerConfiguration={"maxConcurrentJobRuns": 7}, clientToken=token)["virtualCluster"]
    assert updated["id"] == cluster and updated["schedulerConfiguration"] == {"maxConcurrentJobRuns": 7} # replaced as a whole
    assert emr.update_virtual_cluster(id=cluster)["virtualCluster"]["schedulerConfiguration"] == {"maxConcurrentJobRuns": 7}
    assert "schedulerConfiguration" not in emr.update_virtual_cluster(id=cluster, schedulerConfiguration={})["virtualCluster"]
    again = emr.update_virtual_cluster(id=cluster, schedulerConfiguration={"maxConcurrentJobRuns": 7}, clientToken=token)["virtualCluster"]
    assert "schedulerConfiguration" not in again # a token that was used: nothing happens
    assert error_of(emr.update_virtual_cluster, id=cluster, schedulerConfiguration={}, clientToken=token)[:2] == (400, "ValidationException")
    status, code, text = error_of(emr.update_virtual_cluster, id=cluster, schedulerConfiguration={"maxInQueueJobRuns": 1001})
    assert (status, code) == (400, "ValidationException") and "schedulerConfiguration.maxInQueueJobRuns" in text
    assert error_of(emr.update_virtual_cluster, id="0" * 25, schedulerConfiguration={})[:2] == (400, "ResourceNotFoundException")
    emr.delete_virtual_cluster(id=cluster)
    status, code, text = error_of(emr.update_virtual_cluster, id=cluster, schedulerConfiguration={})
    assert (status, code) == (400, "ValidationException") and "is not valid to update." in text


def test_tags_are_an_empty_map_when_there_are_none(emr, cluster):
    assert emr.describe_virtual_cluster(id=cluster)["virtualCluster"]["tags"] == {}


@pytest.mark.parametrize("arguments, code, text", [
    ({"name": "n", "containerProvider": {"type": "EKS", "id": "local"}}, "ValidationException", "containerProvider.info.eksInfo"),
    ({"name": "n", "containerProvider": provider("nowhere")}, "ValidationException", "Namespace nowhere does not exist in cluster local."),
    ({"name": "n", "containerProvider": provider("default", "elsewhere")}, "ResourceNotFoundException", "Cluster elsewhere does not exist."),
    ({"name": "n", "containerProvider": provider("default"), "tags": {"aws:x": "y"}}, "ValidationException", "aws: prefixed"),
    ({"name": "n", "containerProvider": provider("default"), "schedulerConfiguration": {"maxConcurrentJobRuns": 1001}}, "ValidationException",
     "schedulerConfiguration.maxConcurrentJobRuns"),
    ({"name": "n", "containerProvider": provider("default"), "securityConfigurationId": "abc"}, "ResourceNotFoundException",
     "Security configuration abc doesn't exist."),
])
def test_create_virtual_cluster_refusals(emr, arguments, code, text):
    status, got, message = error_of(emr.create_virtual_cluster, **arguments)
    assert (status, got) == (400, code) and text in message


def test_unknown_virtual_clusters(emr):
    assert error_of(emr.describe_virtual_cluster, id="abc") == (400, "ResourceNotFoundException", "Virtual cluster abc doesn't exist.")
    status, code, text = error_of(emr.delete_virtual_cluster, id="abc")
    assert code == "ValidationException" and "not found" in text


def test_virtual_clusters_are_listed_newest_first_in_pages(ember, emr):
    made = [emr.create_virtual_cluster(name="p%d" % i, containerProvider=provider(ember.namespace("page-%d" % i)))["id"] for i in range(5)]
    pages = list(emr.get_paginator("list_virtual_clusters").paginate(states=["RUNNING"], PaginationConfig={"PageSize": 2}))
    assert all(len(p["virtualClusters"]) <= 2 for p in pages)
    ids = [c["id"] for p in pages for c in p["virtualClusters"]]
    assert [i for i in ids if i in made] == made[::-1] and len(set(ids)) == len(ids)
    assert emr.list_virtual_clusters(containerProviderId="elsewhere")["virtualClusters"] == []
    assert error_of(emr.list_virtual_clusters, nextToken="junk") == (400, "ValidationException", "Invalid next token")
    for one in made:
        emr.delete_virtual_cluster(id=one)


def test_a_client_token_makes_create_idempotent(ember, emr):
    token = str(uuid.uuid4())
    ember.namespace("token")
    first = emr.create_virtual_cluster(name="token", containerProvider=provider("token"), clientToken=token)
    assert emr.create_virtual_cluster(name="token", containerProvider=provider("token"), clientToken=token)["id"] == first["id"]
    assert error_of(emr.create_virtual_cluster, name="other", containerProvider=provider("token"), clientToken=token)[1] == "ValidationException"


# ---- job runs ----

def start(emr, cluster, **changes):
    """A run that is refused at its launch: what is asked of the API here does not depend on Spark."""
    request = dict(virtualClusterId=cluster, executionRoleArn=ROLE, releaseLabel="emr-6.2.0-latest", jobDriver=DRIVER,
                   configurationOverrides={"applicationConfiguration": [{"classification": "no-such-thing"}]})
    request.update(changes)
    return emr.start_job_run(**{k: v for k, v in request.items() if v is not None})


def final(emr, run):
    def look():
        view = emr.describe_job_run(virtualClusterId=run["virtualClusterId"], id=run["id"])["jobRun"]
        return view if view["state"] in ("COMPLETED", "FAILED", "CANCELLED") else None
    return wait_for(look, "the job run to end", 60)


def test_a_job_run_as_the_api_shows_it(emr, cluster):
    run = start(emr, cluster, name="shown", tags={"team": "x"}, clientToken="my-token")
    assert re.fullmatch("0{7}[0-9a-v]{12}", run["id"])
    assert run["arn"] == PREFIX + cluster + "/jobruns/" + run["id"] and run["name"] == "shown" and run["virtualClusterId"] == cluster
    view = final(emr, run)
    assert view["jobDriver"] == DRIVER
    assert view["configurationOverrides"] == {"applicationConfiguration": [{"classification": "no-such-thing"}],
                                              "monitoringConfiguration": {"persistentAppUI": "ENABLED"}}
    assert (view["createdBy"], view["clientToken"], view["tags"]) == ("arn:aws:iam::111122223333:root", "my-token", {"team": "x"})
    assert "retryPolicyConfiguration" not in view and "retryPolicyExecution" not in view
    assert (view["state"], view["failureReason"]) == ("FAILED", "VALIDATION_ERROR")
    assert "Classification no-such-thing not supported." in view["stateDetails"] and view["finishedAt"] >= view["createdAt"]
    item = [r for r in emr.list_job_runs(virtualClusterId=cluster)["jobRuns"] if r["id"] == run["id"]][0]
    assert "jobDriver" not in item and "configurationOverrides" not in item
    assert {k: item[k] for k in ("id", "name", "state", "tags", "createdBy", "releaseLabel", "executionRoleArn")} == {
        k: view[k] for k in ("id", "name", "state", "tags", "createdBy", "releaseLabel", "executionRoleArn")}


def test_ids_sort_by_time(emr, cluster):
    ids = [start(emr, cluster)["id"] for _ in range(3)]
    assert ids == sorted(ids)


def test_a_client_token_makes_start_idempotent(emr, cluster):
    token = str(uuid.uuid4())
    first = start(emr, cluster, clientToken=token)
    assert start(emr, cluster, clientToken=token)["id"] == first["id"]
    assert error_of(lambda: start(emr, cluster, clientToken=token, name="another"))[:2] == (400, "ValidationException")


def test_a_retry_policy_of_one_attempt_is_shown(emr, cluster):
    view = final(emr, start(emr, cluster, retryPolicyConfiguration={"maxAttempts": 1}))
    assert view["retryPolicyConfiguration"] == {"maxAttempts": 1} and view["retryPolicyExecution"] == {"currentAttemptCount": 1}


S3_OF = lambda uri: {"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": uri}}}
REFUSALS = [
    ("cluster", {"virtualClusterId": "abc"}, "ResourceNotFoundException", "Virtual cluster abc doesn't exist."),
    ("release", {"releaseLabel": "emr-99.0.0-latest"}, "ResourceNotFoundException", "Release emr-99.0.0-latest doesn't exist."),
    ("no release", {"releaseLabel": None}, "ValidationException", "Value null at 'releaseLabel' failed to satisfy constraint: Member must not be null"),
    ("no role", {"executionRoleArn": None}, "AccessDeniedException",
     "User: arn:aws:iam::111122223333:root is not authorized to perform: emr-containers:StartJobRun"),
    ("other account", {"executionRoleArn": "arn:aws:iam::999999999999:role/job"}, "AccessDeniedException",
     "User: arn:aws:iam::111122223333:root is not authorized to perform: emr-containers:StartJobRun"),
    ("no driver", {"jobDriver": None}, "ValidationException", "Value null at 'jobDriver'"),
    ("empty driver", {"jobDriver": {}}, "ValidationException", "Exactly one of"),
    ("two drivers", {"jobDriver": {**DRIVER, "sparkSqlJobDriver": {"entryPoint": "s3://b/q.sql"}}}, "ValidationException", "Exactly one of"),
    ("sql without file", {"jobDriver": {"sparkSqlJobDriver": {}}}, "ValidationException", "jobDriver.sparkSqlJobDriver.entryPoint"),
    ("log uri", {"configurationOverrides": S3_OF("http://b/")}, "ValidationException",
     "configurationOverrides.monitoringConfiguration.s3MonitoringConfiguration.logUri"),
    ("retries", {"retryPolicyConfiguration": {"maxAttempts": 0}}, "ValidationException",
     "Retry policy configuration's parameter value of maxAttempts is invalid"),
    ("template", {"jobTemplateId": "abc"}, "ValidationException", "leave them out beside jobTemplateId"),
    ("too many tags", {"tags": {"k%d" % i: "v" for i in range(51)}}, "ValidationException", "less than or equal to 50"),
]


@pytest.mark.parametrize("what, changes, code, text", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_start_job_run_refusals(emr, cluster, what, changes, code, text):
    status, got, message = error_of(lambda: start(emr, cluster, **changes))
    assert (status, got) == (403 if code == "AccessDeniedException" else 400, code) and text in message


def test_all_violations_come_in_one_message(emr, cluster):
    status, code, message = error_of(lambda: start(emr, cluster, executionRoleArn="not-an-arn-of-a-role-at-all", releaseLabel="emr 6",
                                                   jobDriver={"sparkSubmitJobDriver": {"entryPoint": "x" * 300}}))
    assert code == "ValidationException" and message.startswith("3 validation errors detected: ")
    for path in ("'executionRoleArn'", "'releaseLabel'", "'jobDriver.sparkSubmitJobDriver.entryPoint'"):
        assert path in message
    assert message.count("; ") == 2


def test_a_terminated_cluster_takes_no_runs(ember, emr):
    made = emr.create_virtual_cluster(name="over", containerProvider=provider(ember.namespace("over")))["id"]
    emr.delete_virtual_cluster(id=made)
    status, code, text = error_of(lambda: start(emr, made))
    assert code == "ValidationException" and re.fullmatch(r"Virtual cluster state TERMINAT(ED|ING) is not valid to create resource JobRun\.", text)


def test_unknown_job_runs(emr, cluster):
    for function in (emr.describe_job_run, emr.cancel_job_run):
        assert error_of(function, virtualClusterId=cluster, id="short") == (400, "ValidationException", "Invalid job run short id")
        assert error_of(function, virtualClusterId=cluster, id="0000000aaaaaaaaaaaa") == (
            400, "ResourceNotFoundException", "Job run 0000000aaaaaaaaaaaa doesn't exist.")
    run = start(emr, cluster)
    assert error_of(emr.describe_job_run, virtualClusterId="abc", id=run["id"])[1] == "ResourceNotFoundException"


def test_a_finished_run_cannot_be_cancelled(emr, cluster):
    run = start(emr, cluster)
    final(emr, run)
    assert error_of(emr.cancel_job_run, virtualClusterId=cluster, id=run["id"]) == (
        400, "ValidationException", "Job run %s is not in a cancellable state" % run["id"])


def test_job_runs_are_listed_newest_first_in_pages(ember, emr):
    cluster = emr.create_virtual_cluster(name="list", containerProvider=provider(ember.namespace("list")))["id"]
    made = [start(emr, cluster, name="odd" if i % 2 else "even")["id"] for i in range(7)]
    for one in made:
        final(emr, {"virtualClusterId": cluster, "id": one})
    pages = list(emr.get_paginator("list_job_runs").paginate(virtualClusterId=cluster, PaginationConfig={"PageSize": 3}))
    assert [len(p["jobRuns"]) for p in pages] == [3, 3, 1]
    assert [r["id"] for p in pages for r in p["jobRuns"]] == made[::-1]
    assert [r["id"] for r in emr.list_job_runs(virtualClusterId=cluster, name="odd")["jobRuns"]] == made[5::-2]
    assert emr.list_job_runs(virtualClusterId=cluster, states=["RUNNING"])["jobRuns"] == []
    assert len(emr.list_job_runs(virtualClusterId=cluster, states=["RUNNING", "FAILED"])["jobRuns"]) == 7
    first = emr.describe_job_run(virtualClusterId=cluster, id=made[0])["jobRun"]["createdAt"]
    assert made[0] not in [r["id"] for r in emr.list_job_runs(virtualClusterId=cluster, createdBefore=first)["jobRuns"]]
    assert error_of(emr.list_job_runs, virtualClusterId=cluster, nextToken="x")[1:] == ("ValidationException", "Invalid next token")


# ---- tags ----

def test_tags_of_a_cluster_and_a_run(emr, cluster):
    run = start(emr, cluster, tags={"a": "1"})
    for arn, had in ((PREFIX + cluster, {}), (run["arn"], {"a": "1"})):
        assert emr.list_tags_for_resource(resourceArn=arn)["tags"] == had
        emr.tag_resource(resourceArn=arn, tags={"a": "2", "b c": "3"})
        assert emr.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "2", "b c": "3"}
        emr.untag_resource(resourceArn=arn, tagKeys=["a", "b c", "never"])
        assert emr.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_more_than_50_tags_are_refused(emr, cluster):
    run = start(emr, cluster, tags={"k%d" % i: "v" for i in range(50)})
    status, code, text = error_of(emr.tag_resource, resourceArn=run["arn"], tags={"one": "more"})
    assert code == "ValidationException" and "50" in text
    assert len(emr.list_tags_for_resource(resourceArn=run["arn"])["tags"]) == 50


@pytest.mark.parametrize("arn, text", [
    (PREFIX + "abc", "Virtual cluster abc doesn't exist."),
    (PREFIX + "abc/jobruns/0000000aaaaaaaaaaaa", "Job run 0000000aaaaaaaaaaaa doesn't exist."),
])
def test_tags_of_nothing(emr, arn, text):
    assert error_of(emr.list_tags_for_resource, resourceArn=arn) == (400, "ResourceNotFoundException", text)


# ---- what is not there ----

def test_unserved_operations_are_unknown(emr):
    assert error_of(emr.list_managed_endpoints, virtualClusterId="abc")[:2] == (404, "UnknownOperationException")


def test_the_cli_as_the_walk_through_types_it(ember, cluster):
    found = ember.aws("emr-containers", "list-virtual-clusters", "--query", "virtualClusters[?state=='RUNNING'].id", "--output", "text")
    assert cluster in found.split()
