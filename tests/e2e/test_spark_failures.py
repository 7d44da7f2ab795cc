"""How runs of real Spark end when they do not end well: their state, their cause, their logs, and nothing left behind."""
import os, signal, subprocess

import pytest

from ember import ROOT, wait_for
from jobs import NAMESPACE
from spark_jobs import EXAMPLES, JOB_S, executor_pods, finish, needs_spark, pod_processes, pods, put, small, spark_daemon, wait_executor_running

pytestmark = needs_spark


@pytest.fixture(scope="module")
def ember(folder):
    with spark_daemon(folder) as daemon:
        yield daemon


def test_a_jar_from_s3_whose_task_throws(ember):
    jar = put(ember, "jobs/my.jar", (ROOT / ".deps/jars/spark-examples.jar").read_bytes())
    run = ember.submit("executor", "no such table: pets", entry_point=jar,
                       parameters=small(1, "--class org.apache.spark.examples.ThrowingJob --conf spark.task.maxFailures=1"))
    done = finish(ember, run, "FAILED")
    assert done["failureReason"] == "USER_ERROR" and "java.lang.IllegalStateException: no such table: pets" in done["stateDetails"], done
    assert "IllegalStateException: no such table: pets" in ember.s3_log(run, "stderr", executor_pods(ember, run)[0])
    ember.wait_reaped(run)


def test_a_failing_script_says_why(ember):
    script = put(ember, "jobs/failing.py", "def work():\n    raise ValueError('no column named legs')\n\nprint('before', flush=True)\nwork()\n")
    run = ember.submit(entry_point=script, parameters=small())
    done = finish(ember, run, "FAILED")
    assert done["failureReason"] == "USER_ERROR" and "ValueError: no column named legs" in done["stateDetails"], done
    out = ember.s3_log(run) # Spark lets a Python driver write both into one
    assert out.startswith("before\nTraceback") and "line 2, in work" in out, out


def test_a_driver_that_needs_more_memory_than_it_has(ember):
    script = put(ember, "jobs/greedy.py", "print('begin', flush=True)\nkeep = bytearray(3 << 30)\nfor i in range(0, len(keep), 4096): keep[i] = 1\nprint('end')\n")
    run = ember.submit(entry_point=script, parameters=small())
    done = finish(ember, run, "FAILED")
    assert "OOMKilled" in done["stateDetails"], done
    assert ember.s3_log(run) == "begin\n"


def test_a_killed_driver_takes_its_executor_along(ember):
    run = ember.submit("600", entry_point=EXAMPLES, parameters=small(1, "--class org.apache.spark.examples.SleepingJob"))
    wait_executor_running(ember, run)
    driver, = [pid for pid, words in pod_processes(ember, run) if "org.apache.spark.deploy.SparkSubmit" in words]
    os.kill(driver, signal.SIGKILL)
    done = finish(ember, run, "FAILED")
    assert "137" in done["stateDetails"], done
    ember.wait_reaped(run)
    assert not pods(ember, run, "executor")
    wait_for(lambda: not pod_processes(ember, run), "the processes to end")


def test_a_cancelled_run_leaves_no_process(ember):
    run = ember.submit("600", entry_point=EXAMPLES, parameters=small(1, "--class org.apache.spark.examples.SleepingJob"))
    wait_executor_running(ember, run)
    wait_for(lambda: len(pod_processes(ember, run)) == 2, "driver and executor to run", JOB_S)
    pod = pods(ember, run, "executor")[0]["metadata"]["name"]
    wait_for(lambda: "Starting executor ID" in ember.kubectl("logs", pod, "-n", NAMESPACE), "the executor to know its driver", JOB_S)
    assert ember.aws("emr-containers", "cancel-job-run", "--virtual-cluster-id", ember.virtual_cluster, "--id", run)["id"] == run
    finish(ember, run, "CANCELLED")
    ember.wait_reaped(run)
    wait_for(lambda: not pod_processes(ember, run), "the processes to end")
    executor, = executor_pods(ember, run) # what both wrote is kept
    for words, of in (("SparkContext", dict()), ("Successfully registered with driver", dict(pod=executor))):
        assert words in ember.s3_log(run, "stderr", **of) and words in "\n".join(ember.cloudwatch_log(run, "stderr", **of))


CLASSES = {"Ending": """
public class Ending {
    public static void main(String[] args) {
        System.out.println(Words.before());
        if (args[0].equals("exit"))
            System.exit(3);
        try {
            Integer.parseInt("four legs");
        } catch (NumberFormatException e) {
            throw new IllegalStateException("the table of pets is no table", e);
        }
    }
}
""", "Words": """
public class Words {
    static String before() { return "before"; }
}
"""}


@pytest.fixture(scope="module")
def ending(ember, folder):
    """Two jars in S3: one whose main class ends as its argument says, and one with a class that it needs."""
    tools, jars = ROOT / ".deps/java/bin", []
    for name, text in CLASSES.items():
        with open(os.path.join(folder, name + ".java"), "w") as f:
            f.write(text)
    subprocess.run([tools / "javac", "--release", "8", "-Xlint:-options", "-d", folder, *(os.path.join(folder, name + ".java") for name in CLASSES)], check=True, timeout=600)
    for name in CLASSES:
        jar = os.path.join(folder, name + ".jar")
        subprocess.run([tools / "jar", "--create", "--file", jar, "-C", folder, name + ".class"], check=True, timeout=600)
        with open(jar, "rb") as f:
            jars.append(put(ember, "jobs/%s.jar" % name, f.read()))
    return jars


def test_the_exit_code_of_a_jvm_and_its_exception(ember, ending):
    runs = {how: ember.submit(how, entry_point=ending[0], parameters=small(1, "--class Ending --jars", ending[1])) for how in ("exit", "throw")}
    done = {how: finish(ember, run, "FAILED") for how, run in runs.items()}
    assert all(d["failureReason"] == "USER_ERROR" for d in done.values())
    assert done["exit"]["stateDetails"].startswith("The driver ended with exit code 3. JobRun failed. "), done
    assert done["throw"]["stateDetails"].startswith('The driver ended with exit code 1. java.lang.NumberFormatException: For input string: "four legs". JobRun failed. '), done
    assert [ember.s3_log(run) for run in runs.values()] == ["before\n"] * 2
    assert "at Ending.main(Ending.java:" in ember.s3_log(runs["throw"], "stderr")


def test_a_sql_file_that_is_wrong_says_where(ember):
    request = ember.request()
    request["jobDriver"] = {"sparkSqlJobDriver": {"entryPoint": put(ember, "jobs/wrong.sql", "select 'before';\nselect name from cats;\nselect 'never';\n"), "sparkSqlParameters": small()}}
    run = ember.emr.start_job_run(clientToken="wrong", **request)["id"]
    done = finish(ember, run, "FAILED")
    assert done["failureReason"] == "USER_ERROR" and "[TABLE_OR_VIEW_NOT_FOUND] The table or view `cats` cannot be found." in done["stateDetails"], done
    out = ember.s3_log(run)
    assert "before\n" in out and "never" not in out


def test_executors_that_a_quota_keeps_from_being_made_are_told_while_it_does(ember):
    namespace = ember.namespace("crowded")
    cluster = ember.emr.create_virtual_cluster(name="crowded", containerProvider={"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": namespace}}})["id"]
    ember.kubectl("create", "quota", "one", "-n", namespace, "--hard=pods=1")
    run = ember.emr.start_job_run(clientToken="crowded", **dict(ember.request(entry_point=EXAMPLES, parameters=small(1, "--class org.apache.spark.examples.SparkPi")),
                                                                virtualClusterId=cluster))["id"]
    look = lambda: ember.emr.describe_job_run(virtualClusterId=cluster, id=run)["jobRun"]
    told = "No executor is running: exceeded quota: one, requested: pods=1, used: pods=1, limited: pods=1"
    wait_for(lambda: look().get("stateDetails") == told, "the quota to be told", JOB_S)
    assert look()["state"] == "RUNNING"
    ember.kubectl("delete", "quota", "one", "-n", namespace)
    done = wait_for(lambda: look()["state"] in ("COMPLETED", "FAILED") and look(), "the run to end", JOB_S)
    assert done["state"] == "COMPLETED" and done["stateDetails"].startswith("JobRun completed successfully."), done


def test_executors_over_their_memory_until_spark_gives_up(ember):
    script = put(ember, "jobs/hungry.py", """
from pyspark.sql import SparkSession

def eat(_):
    keep = bytearray(2 << 30)
    for i in range(0, len(keep), 4096):
        keep[i] = 1
    return len(keep)

spark = SparkSession.builder.getOrCreate()
print(spark.sparkContext.parallelize([1], 1).map(eat).collect())
""")
    run = ember.submit(entry_point=script, parameters=small(1, "--conf spark.task.maxFailures=2"))
    done = finish(ember, run, "FAILED")
    assert done["failureReason"] == "USER_ERROR" and "was killed for using more memory than its limit (OOMKilled). " in done["stateDetails"], done
    executors = executor_pods(ember, run)
    assert len(executors) >= 2, executors
    assert all("Running task 0." in ember.s3_log(run, "stderr", name) for name in executors[:2])
    ember.wait_reaped(run)
