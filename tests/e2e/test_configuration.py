"""applicationConfiguration, properties files and pod templates: what arrives in the driver's pod, what refuses a run, and what is told of it."""
import base64, gzip, json, xml.etree.ElementTree as ET

import pytest
from botocore.exceptions import ClientError

from ember import running, wait_for
from jobs import BUCKET, NAMESPACE, JobEmber
from signing import plain, signed

CONF = "/opt/spark/conf/"


@pytest.fixture(scope="module")
def ember(folder):
    with running(JobEmber(folder)) as daemon:
        yield daemon.prepare()


def classify(*pairs):
    return {"applicationConfiguration": [{"classification": name, "properties": properties} for name, properties in pairs]}


def exports(**variables):
    return {"classification": "spark-env", "properties": {}, "configurations": [{"classification": "export", "properties": variables}]}


def put(ember, key, text):
    ember.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text)
    return "s3://%s/%s" % (BUCKET, key)


def output(ember, *words, **more):
    run = ember.submit(*words, **more)
    ember.wait_state(run, "COMPLETED")
    return run, ember.s3_log(run)


def properties_of(text):
    return dict(line.split("=", 1) for line in text.replace("\\:", ":").splitlines() if "=" in line and not line.startswith("#"))


def site_of(text):
    return {p.find("name").text: p.find("value").text for p in ET.fromstring(text).iter("property")}


def control_log(ember, run):
    prefix = "%s/jobs/%s/control-logs/" % (ember.virtual_cluster, run)
    s3 = ember.client("s3")
    return "".join(gzip.decompress(s3.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read()).decode()
                   for o in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []))


def test_spark_defaults_lie_below_conf_and_what_may_not_be_set_is_told(ember):
    run, text = output(ember, "cat=" + CONF + "spark.properties", parameters="--conf spark.my.b=argument --conf spark.kubernetes.namespace=other",
                       overrides=classify(("spark-defaults", {"spark.my.a": "first", "spark.my.b": "first", "spark.kubernetes.driver.pod.name": "mine"}),
                                          ("spark-defaults", {"spark.my.a": "second"})))
    got = properties_of(text)
    assert (got["spark.my.a"], got["spark.my.b"], got["spark.kubernetes.namespace"], got["spark.executor.cores"]) == ("second", "argument", NAMESPACE, "1"), got
    told = control_log(ember, run)
    assert 'spark.kubernetes.namespace may not be set: "other" is replaced by "%s".' % NAMESPACE in told, told
    assert 'spark.kubernetes.driver.pod.name may not be set: "mine" is replaced' in told, told


def test_spark_env_reaches_the_driver(ember):
    overrides = {"applicationConfiguration": [exports(MY_PLACE='"here and there"', MY_OTHER="1"), exports(MY_OTHER="2")]}
    _, text = output(ember, "env", overrides=overrides)
    assert "MY_PLACE=here and there\n" in text and "MY_OTHER=2\n" in text, text


def test_log4j_and_metrics_become_properties_files(ember):
    _, text = output(ember, "cat=" + CONF + "log4j2.properties", "out=----", "cat=" + CONF + "metrics.properties", overrides=classify(
        ("spark-log4j", {"log4j.rootCategory": "WARN, console"}), ("spark-log4j2", {"logger.mine.name": "a.b", "logger.mine.level": "debug"}),
        ("spark-metrics", {"*.sink.console.class": "org.apache.spark.metrics.sink.ConsoleSink"})))
    log4j, metrics = map(properties_of, text.split("----\n"))
    assert (log4j["rootLogger.level"], log4j["logger.mine.level"]) == ("warn", "debug"), log4j
    assert metrics == {"*.sink.console.class": "org.apache.spark.metrics.sink.ConsoleSink"}


def test_sites_become_xml_files(ember):
    run, text = output(ember, "cat=" + CONF + "hive-site.xml", "out=----", "cat=" + CONF + "core-site.xml", "out=----", "cat=" + CONF + "spark.properties",
                       overrides=classify(
        ("spark-hive-site", {"hive.metastore.uris": "thrift://a:9083?x=<&>"}), ("core-site", {"io.a": "1"}), ("core-site", {"io.a": "2", "io.b": "3"}),
        ("emrfs-site", {"fs.s3.maxConnections": "77", "fs.s3.consistent": "true"})))
    hive, core, properties = text.split("----\n")
    assert site_of(hive) == {"hive.metastore.uris": "thrift://a:9083?x=<&>"} and site_of(core) == {"io.a": "2", "io.b": "3"}
    assert properties_of(properties)["spark.hadoop.fs.s3a.connection.maximum"] == "77"
    assert "emrfs-site: fs.s3.consistent has no effect" in control_log(ember, run)


def test_settings_of_submitter_and_logging_are_accepted_and_told(ember):
    run, _ = output(ember, overrides=classify(
        ("emr-job-submitter", {"jobsubmitter.node.toleration.spot": "yes", "jobsubmitter.node.toleration.spot.effect": "NoSchedule"}),
        ("emr-containers-defaults", {"job-start-timeout": "1800", "executor.logging": "DISABLED", "logging.request.cores": "1", "logging.request.memory": "1Gi", "logging.image": "i"})))
    told = control_log(ember, run)
    assert "Classification emr-job-submitter has no effect but for jobsubmitter.logging: no submitter pod is needed." in told
    assert "Classification emr-containers-defaults: executor.logging is DISABLED: the logs of executors are not shipped." in told, told
    for name in ("cores", "memory"):
        assert "Classification emr-containers-defaults: logging.request.%s has no effect" % name in told, told
    assert "Classification emr-containers-defaults: logging.image has no effect" in told, told


def test_without_the_submitters_logging_there_are_no_control_logs(ember):
    run, text = output(ember, "out=x", overrides=classify(("emr-job-submitter", {"jobsubmitter.logging": "DISABLED"})))
    assert text == "x\n" and control_log(ember, run) == ""


def test_a_properties_file_comes_from_s3(ember):
    uri = put(ember, "conf/my file.conf", "spark.my.a file\nspark.my.b=file\n")
    _, text = output(ember, "cat=" + CONF + "spark.properties", parameters="--properties-file '%s' --conf spark.my.b=argument" % uri,
                     overrides=classify(("spark-defaults", {"spark.my.a": "defaults", "spark.my.c": "defaults"})))
    got = properties_of(text)
    assert (got["spark.my.a"], got["spark.my.b"], got["spark.my.c"]) == ("file", "argument", "defaults")


TEMPLATE = """
apiVersion: v1
kind: Pod
metadata:
  annotations: {team: pets}
spec:
  terminationGracePeriodSeconds: 7
  volumes: [{name: room, emptyDir: {}}]
  containers:
  - name: spark-kubernetes-%s
    env: [{name: OF_TEMPLATE, value: "yes"}]
    volumeMounts: [{name: room, mountPath: /room}]
"""


def test_pod_templates_come_from_s3(ember):
    driver, executor = put(ember, "templates/driver.yaml", TEMPLATE % "driver"), put(ember, "templates/executor.yaml", TEMPLATE % "executor")
    run = ember.submit("env", "cat=/opt/spark/pod-template/pod-spec-template.yml", "gate=looked-at", overrides=classify(("spark-defaults", {
        "spark.kubernetes.driver.podTemplateFile": driver, "spark.kubernetes.executor.podTemplateFile": executor})))
    ember.wait_state(run, "RUNNING")
    pod = json.loads(ember.kubectl("get", "pod", "spark-%s-driver" % run, "-n", NAMESPACE, "-o", "json"))
    assert pod["metadata"]["annotations"]["team"] == "pets" and pod["spec"]["terminationGracePeriodSeconds"] == 7
    assert {"name": "room", "mountPath": "/room"} in pod["spec"]["containers"][0]["volumeMounts"]
    ember.open_gate("looked-at")
    ember.wait_state(run, "COMPLETED")
    text = ember.s3_log(run)
    assert "OF_TEMPLATE=yes\n" in text and text.endswith(TEMPLATE % "executor"), text


def test_nothing_is_left_of_a_driver_that_the_cluster_refuses(ember):
    namespace = ember.namespace("refused")
    cluster = ember.emr.create_virtual_cluster(name="refused", containerProvider={"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": namespace}}})["id"]
    claim = "spark.kubernetes.driver.volumes.persistentVolumeClaim.data."
    run = ember.emr.start_job_run(**{**ember.request(overrides=classify(("core-site", {"a": "b"}), ("spark-defaults", {
        "spark.kubernetes.executor.podTemplateFile": put(ember, "templates/other.yaml", TEMPLATE % "executor"),
        claim + "mount.path": "/data", claim + "options.claimName": "OnDemand", claim + "options.storageClass": "any", claim + "options.sizeLimit": "1Gi",
        "spark.kubernetes.driver.volumes.emptyDir.Not_a_name.mount.path": "/cache"}))), "virtualClusterId": cluster})["id"]
    look = lambda: ember.emr.describe_job_run(virtualClusterId=cluster, id=run)["jobRun"]
    wait_for(lambda: look()["state"] == "FAILED", "the run to be refused")
    assert "Not_a_name" in look()["stateDetails"]
    kinds = "pods,services,configmaps,secrets,persistentvolumeclaims,networkpolicies"
    wait_for(lambda: ember.kubectl("get", kinds, "-n", namespace, "-o", "name").split() == ["configmap/kube-root-ca.crt"], "all of it to be removed")


SIDE_CAR = """
spec:
  containers:
  - {name: helper, image: "ember/spark:3.5.9", command: [sh, -c, "echo I help; exec sleep 600"]}
  - {name: spark-kubernetes-driver}
"""


def test_a_side_car_of_a_template_does_not_outlive_its_driver(ember):
    run, text = output(ember, "out=done", overrides=classify(("spark-defaults", {
        "spark.kubernetes.driver.podTemplateFile": put(ember, "templates/side.yaml", SIDE_CAR)})))
    assert text == "done\n"
    ember.wait_reaped(run)


SIGNS = """
spec:
  containers:
  - name: helper
    image: ember/spark:3.5.9
    command: [sh, -c]
    args:
    - |
      file=/signs/main-container-terminated
      while ! [ -f $file ]; do sleep 0.1; done
      echo first > /room/told
      age() { echo $(( $(date +%%s) - $(stat -c %%Y $file) )); }
      until [ $(age) -gt 8 ]; do sleep 0.2; done
      exit 0
    volumeMounts: [{name: emr-container-communicate, mountPath: /signs, readOnly: true}, {name: room, mountPath: /room}]
  - name: spark-kubernetes-driver
    volumeMounts: [{name: room, mountPath: /room}]
  volumes: [{name: room, emptyDir: {}}]
""".replace("%%", "%")


def test_a_side_car_sees_the_sign_of_life_of_the_main_container(ember):
    """The file's age never passes the side car's threshold while the job runs, which is longer than the threshold."""
    run = ember.submit("sh=while ! [ -f /room/told ]; do sleep 0.1; done; sleep 12; stat -c %s /var/log/fluentd/main-container-terminated; printenv SIDECAR_SIGNAL_FILE",
                       overrides=classify(("spark-defaults", {"spark.kubernetes.driver.podTemplateFile": put(ember, "templates/signs.yaml", SIGNS)})))
    ember.wait_state(run, "RUNNING")
    def helper():
        pod = json.loads(ember.kubectl("get", "pod", "spark-%s-driver" % run, "-n", NAMESPACE, "-o", "json"))
        return [list(c["state"])[0] for c in pod["status"]["containerStatuses"] if c["name"] == "helper"][0]
    states = set()
    while ember.describe(run)["state"] == "RUNNING":
        try:
            states.add(helper())
        except (AssertionError, KeyError, IndexError):
            pass # the pod is gone, or not yet told of
    assert "terminated" not in states and "running" in states, states
    ember.wait_state(run, "COMPLETED")
    assert ember.s3_log(run) == "0\n/var/log/fluentd/main-container-terminated\n"
    ember.wait_reaped(run)


FORWARDER = """
spec:
  containers:
  - name: forwarder
    image: ember/spark:3.5.9
    command: [sh, -c, "until grep -q hello /logs/*/stdout 2>/dev/null; do sleep 0.1; done; cp /logs/*/stdout /room/seen; cp /logs/*/stderr /room/err; ls /logs > /room/done; exec sleep 600"]
    volumeMounts: [{name: emr-container-application-log-dir, mountPath: /logs}, {name: room, mountPath: /room}]
  - name: spark-kubernetes-driver
    volumeMounts: [{name: room, mountPath: /room}]
  volumes: [{name: room, emptyDir: {}}]
"""


def test_a_side_car_reads_what_the_main_container_writes(ember):
    run, text = output(ember, "err=oops", "out=hello", "sh=until [ -s /room/done ]; do sleep 0.1; done; cat /room/done /room/seen /room/err; cat /var/log/spark/user/*/stdout | wc -l",
                       overrides=classify(("spark-defaults", {"spark.kubernetes.driver.podTemplateFile": put(ember, "templates/forwarder.yaml", FORWARDER)})))
    lines = text.splitlines()
    assert lines[:4] == ["hello", "spark-%s-driver" % run, "hello", "oops"] and int(lines[4]) >= 1, text


def test_a_link_that_a_container_left_is_not_written_through(ember):
    """Init containers come before the main one, as the same user: ember-run writes there with its own rights."""
    template = FORWARDER + """
  initContainers:
  - name: first
    image: ember/spark:3.5.9
    command: [sh, -c, "mkdir /logs/$(hostname); ln -s /room/hit /logs/$(hostname)/stdout; touch /logs/$(hostname)/a; ln /logs/$(hostname)/a /logs/$(hostname)/stderr"]
    volumeMounts: [{name: emr-container-application-log-dir, mountPath: /logs}, {name: room, mountPath: /room}]
"""
    template = template.replace("until grep -q hello /logs/*/stdout 2>/dev/null; do sleep 0.1; done; cp /logs/*/stdout /room/seen; cp /logs/*/stderr /room/err", "true")
    run, text = output(ember, "err=oops", "out=hello", "sh=until [ -s /room/done ]; do sleep 0.1; done; ls /room; ls /var/log/spark/user/$(hostname); cat /room/hit /var/log/spark/user/*/a; echo end",
                       overrides=classify(("spark-defaults", {"spark.kubernetes.driver.podTemplateFile": put(ember, "templates/links.yaml", template)})))
    assert text == "hello\ndone\na\nstderr\nstdout\nend\n", text


REFUSED = [
    (classify(("yarn-site", {"a": "b"})), "", "VALIDATION_ERROR", "Classification yarn-site not supported."),
    ({"applicationConfiguration": [{"classification": "core-site", "configurations": [{"classification": "export", "properties": {}}]}]}, "",
     "VALIDATION_ERROR", "Classification export not supported."),
    (classify(("spark-defaults", {"spark.kubernetes.driver.podTemplateFile": "s3://%s/bad.yaml" % BUCKET})), "", "USER_ERROR",
     "Driver pod template validation failed. Field container.command in Spark main container not allowed but specified."),
    (classify(("spark-defaults", {"spark.kubernetes.executor.podTemplateFile": "s3://%s/none.yaml" % BUCKET})), "", "USER_ERROR",
     "Could not load pod from template file s3://%s/none.yaml: s3://%s/none.yaml: The specified key does not exist. (NoSuchKey)" % (BUCKET, BUCKET)),
    (None, "--properties-file s3://no-such-bucket-here/a.conf", "USER_ERROR",
     "Failed when loading Spark properties from s3://no-such-bucket-here/a.conf: s3://no-such-bucket-here/a.conf: The specified bucket does not exist (NoSuchBucket)"),
    (None, "--properties-file /etc/spark.conf", "USER_ERROR",
     "Failed when loading Spark properties from /etc/spark.conf: it must be in S3, there are no files at this submitter"),
    (None, "--properties-file s3://%s/large.conf" % BUCKET, "USER_ERROR",
     "Failed when loading Spark properties from s3://%s/large.conf: s3://%s/large.conf is larger than 524288 bytes" % (BUCKET, BUCKET)),
    (None, "--properties-file s3://%s/binary.conf" % BUCKET, "USER_ERROR",
     "Failed when loading Spark properties from s3://%s/binary.conf: it is no UTF-8 text" % BUCKET),
]


def test_what_cannot_be_refuses_the_run_with_its_cause(ember):
    put(ember, "bad.yaml", "spec: {containers: [{name: spark-kubernetes-driver, command: [sh]}]}")
    put(ember, "large.conf", "#" * (512 * 1024 + 1))
    put(ember, "binary.conf", b"spark.a \xff\xfe")
    runs = [(ember.submit(overrides=overrides, parameters=parameters), reason, details) for overrides, parameters, reason, details in REFUSED]
    for run, reason, details in runs:
        got = ember.wait_state(run, "FAILED")
        assert (got["failureReason"], got["stateDetails"]) == (reason, ("JobRun submission failed. " + details)[:256]), got


def test_lists_are_limited(ember):
    for overrides in (classify(*[("core-site", {"a": "b"})] * 101), classify(("core-site", {"k%d" % i: "v" for i in range(101)})),
                      classify(("core-site", {"k": "v" * 1025}))):
        with pytest.raises(ClientError) as e:
            ember.submit(overrides=overrides)
        assert e.value.response["Error"]["Code"] == "ValidationException", e.value
    assert output(ember, overrides=classify(*[("core-site", {"a": "b"})] * 100, ))[0]


def effective(ember, run):
    return json.loads(ember.ember("jobs", "show", run, "--effective", "--output", "json").stdout)


def sources(answer, classification="spark-defaults"):
    found, = [c["properties"] for c in answer["configurations"] if c["classification"] == classification]
    return {p["name"]: (p["value"], p["source"]) for p in found}


def test_the_effective_configuration_is_kept_with_its_sources(ember):
    uri = put(ember, "conf/effective.conf", "spark.my.b file\nspark.my.secret.key hidden\n")
    run, text = output(ember, "cat=" + CONF + "spark.properties", parameters="--properties-file %s --conf spark.my.a=argument --executor-memory 600m" % uri, overrides=classify(
        ("spark-defaults", {"spark.my.a": "x", "spark.my.b": "x", "spark.my.c": "defaults", "spark.kubernetes.namespace": "other"}),
        ("spark-log4j2", {"rootLogger.level": "warn"}), ("emr-containers-defaults", {"job-start-timeout": "1234"})))
    got = effective(ember, run)
    assert (got["jobRunId"], got["attempt"], got["sparkVersion"]) == (run, 1, "3.5.9")
    rows = sources(got)
    assert {name: rows[name] for name in ("spark.my.a", "spark.my.b", "spark.my.c", "spark.my.secret.key", "spark.executor.memory", "spark.driver.memory",
                                          "spark.kubernetes.namespace")} == {
        "spark.my.a": ("argument", "conf-argument"), "spark.my.b": ("file", "properties-file"), "spark.my.c": ("defaults", "application-configuration"),
        "spark.my.secret.key": ("*********(redacted)", "properties-file"), "spark.executor.memory": ("600m", "option"),
        "spark.driver.memory": ("1G", "release-default"), "spark.kubernetes.namespace": (NAMESPACE, "system")}
    pod = properties_of(text)
    assert set(rows) == set(pod) and all(value == pod[name] for name, (value, _) in rows.items() if "redacted" not in value and "\\" not in pod[name])
    assert sources(got, "spark-log4j2")["rootLogger.level"] == ("warn", "application-configuration")
    assert sources(got, "emr-containers-defaults") == {"job-start-timeout": ("1234", "application-configuration")}
    assert any("spark.kubernetes.namespace may not be set" in note for note in got["notes"])
    shown = ember.ember("jobs", "show", run, "--effective").stdout.decode()
    assert "  conf-argument              spark.my.a=argument\n" in shown and "hidden" not in shown, shown


def test_the_effective_configuration_is_the_last_attempts_and_for_root_alone(ember):
    run = ember.submit("until=2", retryPolicyConfiguration={"maxAttempts": 2})
    ember.wait_state(run, "COMPLETED", timeout_s=300)
    assert effective(ember, run)["attempt"] == 2
    refused = ember.submit(overrides=classify(("yarn-site", {"a": "b"})))
    ember.wait_state(refused, "FAILED")
    for unknown, words in ((refused, b"no attempt of it was launched"), ("0" * 19, b"doesn't exist")):
        answer = ember.ember("jobs", "show", unknown, "--effective", ok=False)
        assert answer.returncode == 1 and words in answer.stderr, answer
    path = "/ember/jobruns/%s/effective" % run
    assert signed(ember, "GET", path, "emr-containers")[0] == 200 and signed(ember, "POST", path, "emr-containers")[0] == 405
    assert signed(ember, "GET", path, "emr-containers", secret="wrong")[0] == 403 and plain(ember, "GET", path)[0] in (403, 404)
    running = ember.submit("sleep=600")
    ember.wait_state(running, "RUNNING")
    secret = json.loads(ember.kubectl("get", "secret", running + "-credentials", "-n", NAMESPACE, "-o", "json"))["data"]
    key_id, key, token = (base64.b64decode(secret[name]).decode() for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
    status, _, body = signed(ember, "GET", path, "emr-containers", key_id=key_id, secret=key, token=token)
    assert status == 403 and b"only the root key may" in body, (status, body)
    ember.emr.cancel_job_run(virtualClusterId=ember.virtual_cluster, id=running)
    ember.wait_state(running, "CANCELLED")
