"""Job templates and security configurations, their tags, their pages, and a job run that starts from a template."""
import uuid

import pytest

from ember import running, wait_for
from jobs import BUCKET, GROUP, ROLE, JobEmber
from test_emr_containers import error_of, provider

ARN = "arn:aws:emr-containers:us-east-1:111122223333:/"
DATA = {
    "executionRoleArn": "${Role}",
    "releaseLabel": "emr-6.2.0-latest",
    "jobDriver": {"sparkSubmitJobDriver": {
        "entryPoint": "local:///opt/spark/${Script}.py", "entryPointArguments": ["out=${Word} of ${Script}", "out=$HOME ${sys:home}", "out=${Count}"],
        "sparkSubmitParameters": "--conf spark.executor.instances=${Count}"}},
    "configurationOverrides": {
        "applicationConfiguration": [{"classification": "spark-defaults", "properties": {"spark.driver.memory": "${Memory}"}}],
        "monitoringConfiguration": {"persistentAppUI": "${UI}", "cloudWatchMonitoringConfiguration": {"logGroupName": GROUP, "logStreamNamePrefix": "pi"},
                                    "s3MonitoringConfiguration": {"logUri": "s3://" + BUCKET}}},
    "parameterConfiguration": {"Count": {"type": "NUMBER", "defaultValue": "1"}, "Memory": {"type": "STRING", "defaultValue": "600m"},
                               "UI": {"defaultValue": "ENABLED"}},
    "jobTags": {"team": "data", "word": "${Word}"},
}
GIVEN = {"Role": ROLE, "Script": "job", "Word": "hello"}


@pytest.fixture(scope="module")
def ember(folder):
    with running(JobEmber(folder)) as daemon:
        yield daemon.prepare()


@pytest.fixture(scope="module")
def emr(ember):
    return ember.client("emr-containers")


@pytest.fixture(scope="module")
def template(emr):
    return emr.create_job_template(name="pi", jobTemplateData=DATA, tags={"k": "v"})["id"]


def test_a_template_is_kept_as_it_was_given(ember, emr):
    made = emr.create_job_template(name="kept", jobTemplateData=DATA, tags={"k": "v"}, clientToken="t-1")
    assert made["arn"] == ARN + "jobtemplates/" + made["id"] and made["name"] == "kept"
    view = emr.describe_job_template(id=made["id"])["jobTemplate"]
    assert view.pop("createdAt") == made["createdAt"]
    assert view == {"id": made["id"], "name": "kept", "arn": made["arn"], "createdBy": "arn:aws:iam::111122223333:root", "tags": {"k": "v"},
                    "jobTemplateData": DATA}
    again = emr.create_job_template(name="kept", jobTemplateData=DATA, tags={"k": "v"}, clientToken="t-1")
    assert again["id"] == made["id"] and again["createdAt"] == made["createdAt"]
    assert error_of(emr.create_job_template, name="other", jobTemplateData=DATA, clientToken="t-1")[1:] == (
        "ValidationException", "The client token t-1 was already used for another request.")
    emr.tag_resource(resourceArn=made["arn"], tags={"more": "tags"})
    assert emr.list_tags_for_resource(resourceArn=made["arn"])["tags"] == {"k": "v", "more": "tags"}
    emr.untag_resource(resourceArn=made["arn"], tagKeys=["k"])
    assert emr.list_tags_for_resource(resourceArn=made["arn"])["tags"] == {"more": "tags"}
    assert emr.delete_job_template(id=made["id"])["id"] == made["id"]
    gone = (400, "ResourceNotFoundException", "Job template %s doesn't exist." % made["id"])
    assert error_of(emr.describe_job_template, id=made["id"]) == gone
    assert error_of(emr.delete_job_template, id=made["id"]) == gone
    assert error_of(emr.list_tags_for_resource, resourceArn=made["arn"])[1] == "ResourceNotFoundException"
    again = emr.create_job_template(name="kept", jobTemplateData=DATA, tags={"k": "v"}, clientToken="t-1") # the answer stays the same
    assert {k: again[k] for k in ("id", "name", "arn", "createdAt")} == {k: made[k] for k in ("id", "name", "arn", "createdAt")}


def test_a_job_run_starts_from_a_template(ember, emr, template):
    run = emr.start_job_run(virtualClusterId=ember.virtual_cluster, name="from-template", jobTemplateId=template,
                            jobTemplateParameters={**GIVEN, "Memory": "700m"}, tags={"team": "own"})["id"]
    emr.delete_job_template(id=emr.create_job_template(name="other", jobTemplateData=DATA)["id"])
    view = ember.wait_state(run, "COMPLETED")
    assert view["name"] == "from-template" and view["executionRoleArn"] == ROLE
    assert view["tags"] == {"team": "own", "word": "hello"}
    assert view["jobDriver"]["sparkSubmitJobDriver"]["sparkSubmitParameters"] == "--conf spark.executor.instances=1"
    assert view["configurationOverrides"]["applicationConfiguration"][0]["properties"] == {"spark.driver.memory": "700m"}
    assert view["configurationOverrides"]["monitoringConfiguration"]["persistentAppUI"] == "ENABLED"
    assert ember.s3_log(run) == "hello of job\n$HOME ${sys:home}\n1\n"


def test_a_repeated_token_with_a_template_is_the_same_run(ember, emr, template):
    request = dict(virtualClusterId=ember.virtual_cluster, jobTemplateId=template, jobTemplateParameters=GIVEN, clientToken=str(uuid.uuid4()))
    run = emr.start_job_run(**request)["id"]
    assert emr.start_job_run(**request)["id"] == run
    assert "already used" in error_of(emr.start_job_run, **{**request, "jobTemplateParameters": {**GIVEN, "Word": "other"}})[2]
    ember.wait_state(run, "COMPLETED")


def test_a_repeated_token_gives_the_first_answer_whatever_has_gone_since(ember, emr):
    made = emr.create_job_template(name="gone", jobTemplateData=DATA)["id"]
    request = dict(virtualClusterId=ember.virtual_cluster, jobTemplateId=made, jobTemplateParameters=GIVEN, clientToken=str(uuid.uuid4()))
    run = emr.start_job_run(**request)["id"]
    emr.delete_job_template(id=made)
    assert emr.start_job_run(**request)["id"] == run
    assert "already used" in error_of(emr.start_job_run, **{**request, "name": "other"})[2]
    ember.wait_state(run, "COMPLETED")

    plain = emr.create_security_configuration(name="plain", securityConfigurationData={})["id"]
    request = dict(name="n", containerProvider=provider(ember.namespace("going")), securityConfigurationId=plain, clientToken=str(uuid.uuid4()))
    cluster = emr.create_virtual_cluster(**request)["id"]
    emr.delete_virtual_cluster(id=cluster)
    wait_for(lambda: emr.describe_virtual_cluster(id=cluster)["virtualCluster"]["state"] == "TERMINATED", "the virtual cluster to end")
    emr.delete_security_configuration(id=plain)
    assert emr.create_virtual_cluster(**request)["id"] == cluster
    ember.kubectl("delete", "namespace", "going", "--wait=true")
    assert emr.create_virtual_cluster(**request)["id"] == cluster
    assert "already used" in error_of(emr.create_virtual_cluster, **{**request, "name": "other"})[2]


@pytest.mark.parametrize("change, text", [
    ({"jobTemplateParameters": {"Role": ROLE, "Script": "job"}}, "The job template parameter Word has no value: give one in jobTemplateParameters."),
    ({"jobTemplateParameters": {**GIVEN, "Typo": "x"}}, "The job template has no parameter Typo."),
    ({"jobTemplateParameters": {**GIVEN, "Count": "two"}}, "The value 'two' of the job template parameter Count is not a NUMBER."),
    ({"jobTemplateParameters": {**GIVEN, "Role": "me"}}, "executionRoleArn"),
    ({"jobTemplateParameters": {**GIVEN, "UI": "maybe"}}, "configurationOverrides.monitoringConfiguration.persistentAppUI"),
    ({"releaseLabel": "emr-6.2.0-latest"}, "leave them out beside jobTemplateId"),
    ({"configurationOverrides": {}}, "leave them out beside jobTemplateId"),
    ({"tags": {"aws:x": "y"}}, "aws: prefixed"),
])
def test_what_a_template_cannot_be_filled_with_is_refused(ember, emr, template, change, text):
    request = {"virtualClusterId": ember.virtual_cluster, "jobTemplateId": template, "jobTemplateParameters": GIVEN, **change}
    status, code, message = error_of(emr.start_job_run, **request)
    assert (status, code) == (400, "ValidationException") and text in message


def test_refusals_of_templates(ember, emr):
    missing = "x" * 25
    assert error_of(emr.start_job_run, virtualClusterId=ember.virtual_cluster, jobTemplateId=missing) == (
        400, "ResourceNotFoundException", "Job template %s doesn't exist." % missing)
    bad = {**DATA, "parameterConfiguration": {"Count": {"type": "NUMBER", "defaultValue": "many"}}}
    assert error_of(emr.create_job_template, name="n", jobTemplateData=bad)[1:] == (
        "ValidationException", "The value 'many' of the job template parameter Count is not a NUMBER.")
    both = {**DATA, "jobDriver": {}}
    assert "Exactly one of" in error_of(emr.create_job_template, name="n", jobTemplateData=both)[2]
    assert "kmsKeyArn" in error_of(emr.create_job_template, name="n", jobTemplateData=DATA,
                                   kmsKeyArn="arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000")[2]
    assert "aws: prefixed" in error_of(emr.create_job_template, name="n", jobTemplateData=DATA, tags={"aws:a": "b"})[2]


def test_security_configurations_are_kept_and_may_be_named_where_they_ask_for_nothing(ember, emr):
    data = {"authorizationConfiguration": {"lakeFormationConfiguration": {"authorizedSessionTagValue": "Amazon EMR"}}}
    asking = emr.create_security_configuration(name="lake", securityConfigurationData=data, tags={"a": "b"}, clientToken="s-1")
    assert asking["arn"] == ARN + "securityconfigurations/" + asking["id"]
    assert emr.create_security_configuration(name="lake", securityConfigurationData=data, tags={"a": "b"}, clientToken="s-1")["id"] == asking["id"]
    view = emr.describe_security_configuration(id=asking["id"])["securityConfiguration"]
    assert view["securityConfigurationData"] == data and view["tags"] == {"a": "b"} and view["createdBy"].endswith(":root")
    namespace = ember.namespace("secured")
    assert "not enforced here" in error_of(emr.create_virtual_cluster, name="n", containerProvider=provider(namespace),
                                           securityConfigurationId=asking["id"])[2]
    plain = emr.create_security_configuration(name="plain", securityConfigurationData={})["id"]
    cluster = emr.create_virtual_cluster(name="n", containerProvider=provider(namespace), securityConfigurationId=plain)["id"]
    assert emr.describe_virtual_cluster(id=cluster)["virtualCluster"]["securityConfigurationId"] == plain
    assert "in use" in error_of(emr.delete_security_configuration, id=plain)[2]
    emr.delete_virtual_cluster(id=cluster)
    assert emr.delete_security_configuration(id=asking["id"])["id"] == asking["id"]
    assert error_of(emr.describe_security_configuration, id=asking["id"])[1] == "ResourceNotFoundException"
    assert error_of(emr.delete_security_configuration, id=asking["id"])[1] == "ResourceNotFoundException"


@pytest.mark.parametrize("kind", ["job_template", "security_configuration"])
def test_lists_come_newest_first_in_pages_whose_tokens_hold_after_a_restart(ember, kind):
    emr = ember.client("emr-containers")
    data = {"jobTemplateData": DATA} if kind == "job_template" else {"securityConfigurationData": {}}
    made = [getattr(emr, "create_" + kind)(name="p%d" % i, **data)["id"] for i in range(5)]
    lister = getattr(emr, "list_" + kind + "s")
    member = "templates" if kind == "job_template" else "securityConfigurations"
    first = lister(maxResults=2)
    assert [t["id"] for t in first[member]] == made[4:2:-1]
    ember.stop()
    ember.start()
    lister = getattr(ember.client("emr-containers"), "list_" + kind + "s")
    second = lister(maxResults=2, nextToken=first["nextToken"])
    assert [t["id"] for t in second[member]] == made[2:0:-1]
    assert error_of(lister, nextToken=first["nextToken"], createdAfter=0)[1:] == ("ValidationException", "Invalid next token")
    changed = ("B" if first["nextToken"][0] == "A" else "A") + first["nextToken"][1:]
    assert error_of(lister, nextToken=changed)[1:] == ("ValidationException", "Invalid next token")
    oldest = getattr(ember.client("emr-containers"), "describe_" + kind)(id=made[0])
    created = next(iter(v for k, v in oldest.items() if k != "ResponseMetadata"))["createdAt"]
    assert made[0] not in [t["id"] for t in lister(createdAfter=created)[member]]
    assert made[4] not in [t["id"] for t in lister(createdBefore=created)[member]]


@pytest.mark.parametrize("operation, arguments", [
    ("create_managed_endpoint", dict(name="n", virtualClusterId="v", type="JUPYTER_ENTERPRISE_GATEWAY", releaseLabel="emr-6.2.0-latest", executionRoleArn=ROLE)),
    ("describe_managed_endpoint", dict(id="e", virtualClusterId="v")),
    ("list_managed_endpoints", dict(virtualClusterId="v")),
    ("delete_managed_endpoint", dict(id="e", virtualClusterId="v")),
    ("get_managed_endpoint_session_credentials", dict(endpointIdentifier="e", virtualClusterIdentifier="v", executionRoleArn=ROLE, credentialType="TOKEN")),
])
def test_managed_endpoints_say_plainly_that_they_are_not_served(emr, operation, arguments):
    status, code, message = error_of(getattr(emr, operation), **arguments)
    assert (status, code) == (404, "UnknownOperationException") and "not served" in message
