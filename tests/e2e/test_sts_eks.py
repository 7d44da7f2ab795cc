"""STS and EKS: what clients ask before anything else."""
import base64, json

import pytest
from botocore.exceptions import ClientError

from signing import signed


def test_the_root_is_who_asks(ember):
    answer = ember.client("sts").get_caller_identity()
    assert (answer["Account"], answer["Arn"], answer["UserId"]) == ("111122223333", "arn:aws:iam::111122223333:root", "111122223333")


def test_any_region_will_do_for_sts(ember):
    assert ember.client("sts", region_name="eu-west-1").get_caller_identity()["Account"] == "111122223333"


def test_sts_answers_json_when_asked(ember):
    status, headers, body = signed(ember, "POST", "/", "sts", body=b"Action=GetCallerIdentity&Version=2011-06-15",
                                   headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"})
    assert status == 200
    assert json.loads(body)["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Account"] == "111122223333"


def test_unserved_actions_are_unknown(ember):
    with pytest.raises(ClientError) as e:
        ember.client("iam").list_roles()
    assert e.value.response["Error"]["Code"] == "InvalidAction"


def test_the_embedded_cluster_is_an_eks_cluster(ember):
    eks = ember.client("eks")
    assert eks.list_clusters()["clusters"] == ["local"]
    cluster = eks.describe_cluster(name="local")["cluster"]
    assert (cluster["status"], cluster["arn"]) == ("ACTIVE", "arn:aws:eks:us-east-1:111122223333:cluster/local")
    assert cluster["endpoint"].startswith("https://127.")
    assert base64.b64decode(cluster["certificateAuthority"]["data"]).startswith(b"-----BEGIN CERTIFICATE-----")


def test_an_unknown_cluster(ember):
    with pytest.raises(ClientError) as e:
        ember.client("eks").describe_cluster(name="nowhere")
    assert e.value.response["Error"] == {"Code": "ResourceNotFoundException", "Message": "No cluster found for name: nowhere."}


def test_a_service_that_is_not_here(ember):
    with pytest.raises(ClientError) as e:
        ember.client("ec2").describe_instances()
    assert e.value.response["Error"]["Code"] == "InvalidAction"
