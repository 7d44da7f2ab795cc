"""Every answer of every served operation, parsed by botocore and by the SDK for Go: into the members of the model, of the right types,
and both into the same. The answers are the real emberd's: what works, and each error that can be brought about."""
import base64, os, pathlib, re, tempfile, time, tomllib

import pytest

import calls
from answers import LIKE_IN_GO, NOT_IN_GO, Echo, Go, Recorder, WrongType, differences
from ember import ROOT, wait_for
from jobs import BUCKET, GROUP, NAMESPACE, ROLE, JobEmber

CLIENT = pathlib.Path(os.environ.get("EMBER_GO_CLIENT") or ROOT / ".deps/go-client/client")


class Both:
    """Makes calls and keeps what the two SDKs disagree about."""

    def __init__(self, daemon):
        assert CLIENT.exists(), "there is no %s: run make setup" % CLIENT
        self.daemon, self.echo = daemon, Echo()
        self.go = Go(CLIENT, self.echo)
        self.recorders = {"root": Recorder(daemon.endpoint, daemon.key_id, daemon.secret), "wrong secret": Recorder(daemon.endpoint, daemon.key_id, "x" * 40),
                          "unknown key": Recorder(daemon.endpoint, "AKIANOBODY0000000000", "x" * 40)}
        self.served, self.codes, self.wrong = set(), set(), []

    def __call__(self, service, operation, who="root", code=None, **params):
        """What botocore made of it; code: of the error that must come."""
        recorder = self.recorders[who]
        try:
            said = recorder.call(service, operation, params)
        except WrongType as e:
            self.wrong.append(str(e))
            return {}
        where = "%s:%s(%s)" % (service, operation, code or "")
        if said.get("code") != code and not (code and recorder.last[0] == "HEAD"):
            pytest.fail("%s: %s" % (where, said), pytrace=False)
        like = LIKE_IN_GO.get((service, operation))
        known = {name: value for name, value in params.items() if name[0].upper() + name[1:] not in NOT_IN_GO}
        go = self.go.parse(service, like or operation, {"id": "any"} if like else known, recorder.last)
        if "output" in said:
            self.served.add((service, operation))
            self.wrong += [where + line for line in differences(said["output"], go.get("output") if "output" in go else go)]
            return said["output"]
        self.codes.add((service, said["code"]))
        told = ("status", "code", "message") if recorder.last[3] else ("status",) # each makes up its own where nothing was said
        self.wrong += [where + line for line in differences({k: said[k] for k in told}, {k: go.get(k) for k in told})]
        if not go.get("request_id"):
            self.wrong.append(where + ": Go found no request id")
        return said

    def close(self):
        self.go.close()
        self.echo.close()


@pytest.fixture(scope="module")
def both():
    with tempfile.TemporaryDirectory(prefix="ember-diff-") as folder:
        daemon = JobEmber(folder).start()
        try:
            made = Both(daemon)
            try:
                yield made
            finally:
                made.close()
        finally:
            if daemon.process:
                daemon.stop()
            daemon.check_nothing_left()


def text(data):
    return {"$bytes": base64.b64encode(data).decode()}


def everywhere(both, service, operation, **params):
    """The refusals that every operation has."""
    codes = {"s3": ("SignatureDoesNotMatch", "InvalidAccessKeyId"), "sts": ("SignatureDoesNotMatch", "InvalidClientTokenId")}.get(
        service, ("InvalidSignatureException", "UnrecognizedClientException"))
    both(service, operation, who="wrong secret", code=codes[0], **params)
    both(service, operation, who="unknown key", code=codes[1], **params)


def done(both):
    wrong, both.wrong = both.wrong, []
    assert not wrong, "\n".join(wrong)


def test_sts(both):
    assert both("sts", "GetCallerIdentity")["Account"] == "111122223333"
    everywhere(both, "sts", "GetCallerIdentity")
    both("sts", "GetSessionToken", code="InvalidAction")
    done(both)


def test_eks(both):
    names = both("eks", "ListClusters")["Clusters"]
    both("eks", "ListClusters", maxResults=1)
    assert both("eks", "DescribeCluster", name=names[0])["Cluster"]["Status"] == "ACTIVE"
    both("eks", "DescribeCluster", code="ResourceNotFoundException", name="nowhere")
    both("eks", "ListClusters", code="InvalidParameterException", maxResults=101)
    both("eks", "DescribeNodegroup", code="UnknownOperationException", clusterName="a", nodegroupName="b")
    everywhere(both, "eks", "ListClusters")
    done(both)


def test_emr_containers(both):
    emr = lambda operation, **params: both("emr-containers", operation, **params)
    both.daemon.namespace(NAMESPACE)
    both.daemon.client("s3").create_bucket(Bucket=BUCKET)
    both.daemon.client("logs").create_log_group(logGroupName=GROUP)
    provider = {"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": NAMESPACE}}}
    cluster = emr("CreateVirtualCluster", name="demo", containerProvider=provider, tags={"a": "1", "ž": "ž ž"}, clientToken="one")["Id"]
    emr("CreateVirtualCluster", code="ValidationException", name="demo", containerProvider=provider, clientToken="two")
    emr("CreateVirtualCluster", code="ValidationException", name="", containerProvider={"id": "", "type": "X"}, clientToken="three")
    arn = emr("DescribeVirtualCluster", id=cluster)["VirtualCluster"]["Arn"]
    emr("DescribeVirtualCluster", code="ResourceNotFoundException", id="nobody")
    emr("ListVirtualClusters", states=["RUNNING"], createdAfter={"$time": 1700000000}, maxResults=1)
    emr("ListVirtualClusters", containerProviderId="nowhere")
    emr("ListVirtualClusters", code="ValidationException", nextToken="?" * 20)
    emr("TagResource", resourceArn=arn, tags={"b c": "2+2=4", "ž": "ž"})
    emr("ListTagsForResource", resourceArn=arn)
    emr("UntagResource", resourceArn=arn, tagKeys=["b c", "ž"])
    emr("ListTagsForResource", code="ResourceNotFoundException", resourceArn=re.sub("[^/]+$", "nobody", arn))
    emr("TagResource", code="ValidationException", resourceArn="arn", tags={})
    driver = {"sparkSubmitJobDriver": {"entryPoint": "local:///opt/spark/job.py", "entryPointArguments": ["out=ž", "exit=3"], "sparkSubmitParameters": "--conf spark.executor.instances=1"}}
    overrides = {"applicationConfiguration": [{"classification": "spark-defaults", "properties": {"spark.a": "ž \"b\""}, "configurations": []}],
                 "monitoringConfiguration": {"persistentAppUI": "DISABLED", "cloudWatchMonitoringConfiguration": {"logGroupName": GROUP, "logStreamNamePrefix": "p"},
                                             "s3MonitoringConfiguration": {"logUri": "s3://" + BUCKET}}}
    wish = dict(virtualClusterId=cluster, executionRoleArn=ROLE, releaseLabel="emr-6.2.0-latest", jobDriver=driver)
    failing = emr("StartJobRun", name="fails", configurationOverrides=overrides, tags={"t": "u"}, clientToken="run-1", **wish)["Id"]
    wish["jobDriver"] = {"sparkSubmitJobDriver": {"entryPoint": "local:///opt/spark/job.py", "entryPointArguments": ["sleep=600"]}}
    sleeping = emr("StartJobRun", clientToken="run-2", **wish)["Id"]
    emr("StartJobRun", code="ValidationException", clientToken="run-3", **{**wish, "executionRoleArn": "x" * 20, "releaseLabel": "", "jobDriver": {}})
    emr("StartJobRun", code="ResourceNotFoundException", clientToken="run-4", **{**wish, "virtualClusterId": "nobody"})
    emr("DescribeJobRun", virtualClusterId=cluster, id=sleeping)
    emr("DescribeJobRun", code="ResourceNotFoundException", virtualClusterId=cluster, id=sleeping[:-3] + ("abc" if sleeping[-3:] != "abc" else "abd"))
    both.daemon.virtual_cluster = cluster
    emr("CancelJobRun", virtualClusterId=cluster, id=sleeping)
    both.daemon.wait_state(sleeping, "CANCELLED")
    emr("CancelJobRun", code="ValidationException", virtualClusterId=cluster, id=sleeping)
    both.daemon.wait_state(failing, "FAILED")
    assert emr("DescribeJobRun", virtualClusterId=cluster, id=failing)["JobRun"]["FailureReason"]
    assert len(emr("ListJobRuns", virtualClusterId=cluster)["JobRuns"]) == 2
    assert emr("ListJobRuns", virtualClusterId=cluster, states=["FAILED"], maxResults=1, createdBefore={"$time": time.time() + 60})["JobRuns"]
    emr("ListJobRuns", virtualClusterId=cluster, maxResults=1)
    emr("DeleteVirtualCluster", id=cluster)
    wait_for(lambda: both.daemon.emr.describe_virtual_cluster(id=cluster)["virtualCluster"]["state"] == "TERMINATED", "the virtual cluster to end")
    emr("DescribeVirtualCluster", id=cluster)
    emr("DeleteVirtualCluster", code="ValidationException", id=cluster)
    emr("ListManagedEndpoints", code="UnknownOperationException", virtualClusterId="nobody") # till it is served
    everywhere(both, "emr-containers", "ListVirtualClusters")
    done(both)


def test_updates_of_virtual_clusters(both):
    emr = lambda operation, **params: both("emr-containers", operation, **params)
    both.daemon.namespace("answers-queue")
    provider = {"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": "answers-queue"}}}
    cluster = emr("CreateVirtualCluster", name="queue", containerProvider=provider, clientToken="queue-1",
                  schedulerConfiguration={"maxConcurrentJobRuns": 2, "maxInQueueJobRuns": 3})["Id"]
    limits = {"maxConcurrentJobRuns": 5, "maxInQueueJobRuns": 7}
    updated = emr("UpdateVirtualCluster", id=cluster, clientToken="queue-2", schedulerConfiguration=limits)
    assert updated["VirtualCluster"]["SchedulerConfiguration"] == {"MaxConcurrentJobRuns": 5, "MaxInQueueJobRuns": 7}
    assert emr("UpdateVirtualCluster", id=cluster, clientToken="queue-2", schedulerConfiguration=limits) == updated
    emr("DescribeVirtualCluster", id=cluster)
    emr("UpdateVirtualCluster", code="ValidationException", id=cluster, clientToken="queue-2", schedulerConfiguration={"maxConcurrentJobRuns": 6})
    emr("UpdateVirtualCluster", code="ValidationException", id=cluster, clientToken="queue-3", schedulerConfiguration={"maxConcurrentJobRuns": 0, "maxInQueueJobRuns": -1})
    emr("UpdateVirtualCluster", id=cluster, clientToken="queue-4", schedulerConfiguration={"maxConcurrentJobRuns": 1}) # the other limit is gone
    emr("UpdateVirtualCluster", id=cluster, clientToken="queue-5") # nothing changes
    emr("UpdateVirtualCluster", id=cluster, clientToken="queue-6", schedulerConfiguration={})
    emr("UpdateVirtualCluster", code="ResourceNotFoundException", id="nobody", clientToken="queue-7")
    emr("DeleteVirtualCluster", id=cluster)
    wait_for(lambda: both.daemon.emr.describe_virtual_cluster(id=cluster)["virtualCluster"]["state"] == "TERMINATED", "the virtual cluster to end")
    emr("UpdateVirtualCluster", code="ValidationException", id=cluster, clientToken="queue-8")
    everywhere(both, "emr-containers", "UpdateVirtualCluster", id=cluster, clientToken="queue-9")
    done(both)


def test_job_templates(both):
    emr = lambda operation, **params: both("emr-containers", operation, **params)
    data = {"executionRoleArn": "${Role}", "releaseLabel": "emr-6.2.0-latest",
            "jobDriver": {"sparkSubmitJobDriver": {"entryPoint": "local:///opt/spark/${Script}.py", "entryPointArguments": ["ž ${Count}", "🎉"],
                                                   "sparkSubmitParameters": "--conf spark.executor.instances=${Count}"}},
            "configurationOverrides": {"applicationConfiguration": [{"classification": "spark-defaults", "properties": {"spark.a": "\"${Word}\""}, "configurations": []}],
                                       "monitoringConfiguration": {"persistentAppUI": "${UI}", "s3MonitoringConfiguration": {"logUri": "s3://" + BUCKET}}},
            "parameterConfiguration": {"Count": {"type": "NUMBER", "defaultValue": "2"}, "Word": {"type": "STRING"}, "UI": {"defaultValue": "ENABLED"}},
            "jobTags": {"b c": "2+2=4", "ž": "ž"}}
    sql = {**data, "jobDriver": {"sparkSqlJobDriver": {"entryPoint": "s3://b/${Script}.sql", "sparkSqlParameters": "--conf spark.a=b"}}}
    wish = dict(name="template.1_#/-", jobTemplateData=data, tags={"k": "ž"}, clientToken="template-1")
    made = emr("CreateJobTemplate", **wish)
    assert emr("CreateJobTemplate", **wish) == made
    emr("CreateJobTemplate", code="ValidationException", **{**wish, "name": "other"})
    emr("CreateJobTemplate", name="plain", jobTemplateData=sql, clientToken="template-2")
    emr("CreateJobTemplate", code="ValidationException", name="a b", jobTemplateData={**data, "releaseLabel": ""}, clientToken="template-0")
    emr("CreateJobTemplate", code="ValidationException", name="n", jobTemplateData={**data, "jobDriver": {}}, clientToken="template-3")
    emr("CreateJobTemplate", code="ValidationException", name="n", clientToken="template-4",
        jobTemplateData={**data, "parameterConfiguration": {"Count": {"type": "NUMBER", "defaultValue": "ž"}}})
    emr("CreateJobTemplate", code="ValidationException", name="n", jobTemplateData=data, clientToken="template-5",
        kmsKeyArn="arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000")
    emr("CreateJobTemplate", code="ValidationException", name="n", jobTemplateData=data, clientToken="template-6", tags={"aws:a": "b"})
    emr("DescribeJobTemplate", id=made["Id"])
    emr("DescribeJobTemplate", code="ResourceNotFoundException", id="nobody")
    emr("DescribeJobTemplate", code="ValidationException", id="x" * 65)
    assert len(emr("ListJobTemplates")["Templates"]) == 2
    page = emr("ListJobTemplates", maxResults=1, createdAfter={"$time": 1700000000.5})
    assert len(emr("ListJobTemplates", maxResults=1, createdAfter={"$time": 1700000000.5}, nextToken=page["NextToken"])["Templates"]) == 1
    emr("ListJobTemplates", code="ValidationException", nextToken=page["NextToken"]) # for another question
    emr("ListJobTemplates", code="ValidationException", nextToken="?" * 20)
    emr("ListJobTemplates", createdBefore={"$time": 1700000000})
    emr("ListTagsForResource", resourceArn=made["Arn"])
    both.daemon.namespace("answers-template")
    cluster = emr("CreateVirtualCluster", name="template", clientToken="template-7",
                  containerProvider={"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": "answers-template"}}})["Id"]
    run = dict(virtualClusterId=cluster, jobTemplateId=made["Id"])
    emr("StartJobRun", code="ValidationException", clientToken="template-8", jobTemplateParameters={"Typo": "x"}, **run)
    emr("StartJobRun", code="ResourceNotFoundException", clientToken="template-9", **{**run, "jobTemplateId": "nobody"})
    started = emr("StartJobRun", clientToken="template-10", jobTemplateParameters={"Role": ROLE, "Script": "job", "Word": "ž", "Count": "1"}, **run)["Id"]
    emr("DescribeJobRun", virtualClusterId=cluster, id=started)
    emr("DeleteVirtualCluster", id=cluster)
    assert emr("DeleteJobTemplate", id=made["Id"])["Id"] == made["Id"]
    emr("DeleteJobTemplate", code="ResourceNotFoundException", id=made["Id"])
    emr("ListTagsForResource", code="ResourceNotFoundException", resourceArn=made["Arn"])
    for operation, params in {"CreateJobTemplate": wish, "DescribeJobTemplate": {"id": "x"}, "ListJobTemplates": {}, "DeleteJobTemplate": {"id": "x"}}.items():
        everywhere(both, "emr-containers", operation, **params)
    done(both)


def test_security_configurations(both):
    emr = lambda operation, **params: both("emr-containers", operation, **params)
    secret = "arn:aws:secretsmanager:us-east-1:111122223333:secret:tls-AbCdEf"
    data = {"authorizationConfiguration": {
        "lakeFormationConfiguration": {"authorizedSessionTagValue": "Amazon EMR", "secureNamespaceInfo": {"clusterId": "local", "namespace": "secure"},
                                       "queryEngineRoleArn": ROLE},
        "encryptionConfiguration": {"inTransitEncryptionConfiguration": {"tlsCertificateConfiguration": {
            "certificateProviderType": "PEM", "publicCertificateSecretArn": secret, "privateCertificateSecretArn": secret}}}}}
    wish = dict(name="lake", securityConfigurationData=data, tags={"b c": "ž"}, clientToken="security-1")
    made = emr("CreateSecurityConfiguration", **wish)
    assert emr("CreateSecurityConfiguration", **wish) == made
    emr("CreateSecurityConfiguration", code="ValidationException", **{**wish, "securityConfigurationData": {}})
    plain = emr("CreateSecurityConfiguration", name="plain", securityConfigurationData={}, clientToken="security-2")["Id"]
    emr("CreateSecurityConfiguration", code="ValidationException", name="a b", securityConfigurationData={
        "authorizationConfiguration": {"lakeFormationConfiguration": {"queryEngineRoleArn": "me"}}}, clientToken="security-3")
    emr("CreateSecurityConfiguration", code="ValidationException", name="n", securityConfigurationData={}, clientToken="security-4", tags={"aws:a": "b"})
    emr("DescribeSecurityConfiguration", id=made["Id"])
    emr("DescribeSecurityConfiguration", code="ResourceNotFoundException", id="nobody")
    emr("DescribeSecurityConfiguration", code="ValidationException", id="x" * 65)
    assert len(emr("ListSecurityConfigurations")["SecurityConfigurations"]) == 2
    page = emr("ListSecurityConfigurations", maxResults=1)
    assert len(emr("ListSecurityConfigurations", maxResults=1, nextToken=page["NextToken"])["SecurityConfigurations"]) == 1
    emr("ListSecurityConfigurations", code="ValidationException", nextToken="x" + page["NextToken"])
    emr("ListSecurityConfigurations", createdBefore={"$time": 1700000000}, createdAfter={"$time": 1600000000})
    emr("ListTagsForResource", resourceArn=made["Arn"])
    both.daemon.namespace("answers-secure")
    cluster = dict(name="secure", containerProvider={"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": "answers-secure"}}})
    emr("CreateVirtualCluster", code="ValidationException", securityConfigurationId=made["Id"], clientToken="security-5", **cluster)
    emr("CreateVirtualCluster", code="ResourceNotFoundException", securityConfigurationId="nobody", clientToken="security-6", **cluster)
    secured = emr("CreateVirtualCluster", securityConfigurationId=plain, clientToken="security-7", **cluster)["Id"]
    assert emr("DescribeVirtualCluster", id=secured)["VirtualCluster"]["SecurityConfigurationId"] == plain
    emr("DeleteSecurityConfiguration", code="ValidationException", id=plain) # in use
    emr("DeleteVirtualCluster", id=secured)
    assert emr("DeleteSecurityConfiguration", id=made["Id"])["Id"] == made["Id"]
    emr("DeleteSecurityConfiguration", code="ResourceNotFoundException", id=made["Id"])
    for operation, params in {"CreateSecurityConfiguration": wish, "DescribeSecurityConfiguration": {"id": "x"}, "ListSecurityConfigurations": {},
                              "DeleteSecurityConfiguration": {"id": "x"}}.items():
        everywhere(both, "emr-containers", operation, **params)
    done(both)


def test_logs(both):
    logs, now = lambda operation, **params: both("logs", operation, **params), int(time.time() * 1000)
    names = dict(logGroupName="answers/ž"[:8], logStreamName="s [1]")
    logs("CreateLogGroup", logGroupName=names["logGroupName"])
    logs("CreateLogGroup", code="ResourceAlreadyExistsException", logGroupName=names["logGroupName"])
    logs("CreateLogGroup", code="InvalidParameterException", logGroupName="")
    logs("CreateLogStream", **names)
    logs("CreateLogStream", code="ResourceAlreadyExistsException", **names)
    logs("CreateLogStream", code="ResourceNotFoundException", logGroupName="nobody", logStreamName="s")
    logs("PutRetentionPolicy", logGroupName=names["logGroupName"], retentionInDays=7)
    logs("PutRetentionPolicy", code="InvalidParameterException", logGroupName=names["logGroupName"], retentionInDays=2)
    logs("DescribeLogGroups", logGroupNamePrefix="answers")
    logs("DescribeLogGroups", limit=1)
    logs("PutLogEvents", logEvents=[{"timestamp": now - 1, "message": "ž\t\"quoted\" \\ \u2028 🎉"}, {"timestamp": now, "message": "x" * 2000}], **names)
    logs("PutLogEvents", logEvents=[{"timestamp": now - 30 * 86400000, "message": "old"}], **names)
    logs("PutLogEvents", code="InvalidParameterException", logEvents=[{"timestamp": 2, "message": "b"}, {"timestamp": 1, "message": "a"}], **names)
    logs("PutLogEvents", code="ResourceNotFoundException", logEvents=[{"timestamp": now, "message": "b"}], logGroupName="nobody", logStreamName="s")
    assert len(logs("GetLogEvents", startFromHead=True, **names)["Events"]) >= 2
    logs("GetLogEvents", limit=1, **names)
    logs("GetLogEvents", code="ResourceNotFoundException", logGroupName=names["logGroupName"], logStreamName="nobody")
    assert logs("FilterLogEvents", logGroupName=names["logGroupName"], filterPattern="quoted", interleaved=True)["Events"]
    logs("FilterLogEvents", logGroupName=names["logGroupName"], limit=1)
    logs("DescribeLogStreams", logGroupName=names["logGroupName"], orderBy="LastEventTime", descending=True)
    logs("DescribeLogStreams", code="ResourceNotFoundException", logGroupName="nobody")
    logs("DeleteRetentionPolicy", logGroupName=names["logGroupName"])
    logs("DeleteLogStream", **names)
    logs("DeleteLogStream", code="ResourceNotFoundException", **names)
    logs("DeleteLogGroup", logGroupName=names["logGroupName"])
    logs("DeleteLogGroup", code="ResourceNotFoundException", logGroupName=names["logGroupName"])
    logs("GetLogRecord", code="UnknownOperationException", logRecordPointer="x")
    everywhere(both, "logs", "DescribeLogGroups")
    done(both)


def test_s3(both):
    s3 = lambda operation, code=None, bucket="answers", **params: both("s3", operation, code=code, Bucket=bucket, **params)
    s3("CreateBucket")
    s3("CreateBucket", code="InvalidBucketName", bucket="UPPER")
    s3("HeadBucket")
    s3("HeadBucket", code="404", bucket="nobody")
    s3("GetBucketLocation")
    s3("GetBucketLocation", code="NoSuchBucket", bucket="nobody")
    both("s3", "ListBuckets")
    key = "a folder/ž +%&<>\".txt"
    etag = s3("PutObject", Key=key, Body=text(b"hello"), Metadata={"a": "b  c", "empty": ""}, ContentType="text/plain; charset=utf-8", CacheControl="no-cache",
              ContentDisposition='attachment; filename="x"', StorageClass="STANDARD", ChecksumAlgorithm="SHA256")["ETag"]
    s3("PutObject", code="NoSuchBucket", bucket="nobody", Key="k", Body=text(b""))
    s3("PutObject", code="PreconditionFailed", Key=key, Body=text(b"x"), IfNoneMatch="*")
    s3("PutObject", code="InvalidDigest", Key=key, Body=text(b"x"), ContentMD5="no")
    assert s3("GetObject", Key=key, ChecksumMode="ENABLED")["Body"] == text(b"hello")
    s3("GetObject", Key=key, Range="bytes=1-2")
    s3("GetObject", code="InvalidRange", Key=key, Range="bytes=100-")
    s3("GetObject", code="NoSuchKey", Key="nobody")
    s3("GetObject", code="PreconditionFailed", Key=key, IfMatch='"x"')
    s3("GetObject", code="304", Key=key, IfNoneMatch=etag)
    s3("HeadObject", Key=key, ChecksumMode="ENABLED")
    s3("HeadObject", code="404", Key="nobody")
    s3("CopyObject", Key="copy", CopySource="answers/" + key, MetadataDirective="REPLACE", Metadata={"x": "y"})
    s3("CopyObject", code="NoSuchKey", Key="copy", CopySource="answers/nobody")
    encoding = {"EncodingType": "url"} # botocore asks for it by itself and decodes then; told to, it leaves keys alone, as Go does
    s3("ListObjectsV2", **encoding)
    s3("ListObjectsV2", Delimiter="/", MaxKeys=1, FetchOwner=True, StartAfter="A", **encoding)
    s3("ListObjectsV2", Prefix="none", **encoding)
    s3("ListObjects", Delimiter="/", MaxKeys=1, **encoding)
    s3("ListObjectsV2", code="NoSuchBucket", bucket="nobody", EncodingType="url")
    s3("ListObjectsV2", code="InvalidArgument", ContinuationToken="x", EncodingType="url")
    upload = s3("CreateMultipartUpload", Key="parts", Metadata={"m": "n"}, ChecksumAlgorithm="CRC32")["UploadId"]
    part = s3("UploadPart", Key="parts", UploadId=upload, PartNumber=1, Body={"$fill": [97, 5 << 20]}, ChecksumAlgorithm="CRC32")
    copied = s3("UploadPartCopy", Key="parts", UploadId=upload, PartNumber=2, CopySource="answers/copy", CopySourceRange="bytes=0-3")["CopyPartResult"]
    s3("UploadPart", code="NoSuchUpload", Key="parts", UploadId="nobody", PartNumber=1, Body=text(b"x"))
    s3("ListParts", Key="parts", UploadId=upload)
    s3("ListParts", Key="parts", UploadId=upload, MaxParts=1)
    s3("ListMultipartUploads", EncodingType="url")
    parts = [{"ETag": part["ETag"], "PartNumber": 1, "ChecksumCRC32": part["ChecksumCRC32"]}, {"ETag": copied["ETag"], "PartNumber": 2, "ChecksumCRC32": copied["ChecksumCRC32"]}]
    s3("CompleteMultipartUpload", code="InvalidPart", Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"ETag": '"x"', "PartNumber": 7}]})
    s3("CompleteMultipartUpload", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    s3("HeadObject", Key="parts", PartNumber=1, ChecksumMode="ENABLED")
    upload = s3("CreateMultipartUpload", Key="parts")["UploadId"]
    s3("AbortMultipartUpload", Key="parts", UploadId=upload)
    s3("AbortMultipartUpload", code="NoSuchUpload", Key="parts", UploadId="nobody")
    s3("DeleteBucket", code="BucketNotEmpty")
    s3("DeleteObject", Key="nobody")
    s3("DeleteObjects", Delete={"Objects": [{"Key": key}, {"Key": "copy"}, {"Key": "nobody"}]})
    s3("DeleteObjects", Delete={"Objects": [{"Key": "parts"}], "Quiet": True})
    s3("GetBucketTagging", code="NotImplemented")
    s3("DeleteBucket")
    s3("DeleteBucket", code="NoSuchBucket")
    everywhere(both, "s3", "ListBuckets")
    done(both)


def test_every_served_operation_was_answered(both, seed):
    model = {(path.stem, o) for path in (ROOT / "model").glob("*.toml") for o in tomllib.loads(path.read_text())["operations"]}
    assert model == {(service, operation) for service, operations in calls.SERVED.items() for operation in operations} # else: add it to calls.py
    assert not model - both.served # else: give it steps above
    print(len(both.codes), "errors:", sorted(both.codes))
    done(both)
