"""Makes the recordings in this folder anew: real Spark's words for real failures, in eleven runs of the embedded cluster.
EMBER_BUILD=… .deps/venv/bin/python tests/data/driver-logs/record.py

One PySpark session fails in many ways and goes on after each, printing what Python prints for an exception that nobody catches; its log is
cut at the marks. What a recording keeps is its last 16 KB: more than that of a driver's end tells nothing."""
import pathlib, re, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "e2e"))
from ember import ROOT
from jobs import BUCKET, JobEmber

KEPT = 16 << 10
EXAMPLES = "local:///usr/lib/spark/examples/jars/spark-examples.jar"
SMALL = "--conf spark.executor.instances=1 --conf spark.executor.memory=512m --conf spark.driver.memory=512m "

SESSION = r'''
import os, signal, sys, traceback
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

spark = SparkSession.builder.config("spark.task.maxFailures", "1").config("spark.driver.maxResultSize", "1m").getOrCreate()
sc = spark.sparkContext
pets = spark.createDataFrame([("cat", 4), ("bird", 2)], ["name", "legs"])
pets.createOrReplaceTempView("pets")

def divide(row):
    return row.legs / 0

def load(row):
    import no_such_module
    return no_such_module.look(row)

def die(row): # as the kernel does it to a JVM that is over its container's memory
    os.kill(os.getppid() if "java" in open("/proc/%d/cmdline" % os.getppid()).read() else int(open("/proc/%d/stat" % os.getppid()).read().split()[3]), signal.SIGKILL)

def chained():
    try:
        {}["legs"]
    except KeyError:
        int("four")

def from_cause():
    try:
        int("four")
    except ValueError as problem:
        raise RuntimeError("the table of pets can't be read") from problem

def multi_line():
    raise ValueError("two problems:\n  first\n  second")

FAILURES = {
    "sql-syntax": lambda: spark.sql("SELECT name\nFROM pets\nWHERE legs >"),
    "table-not-found": lambda: spark.sql("SELECT * FROM cats"),
    "column-not-found": lambda: pets.select("wings"),
    "path-not-found": lambda: spark.read.text("file:///no/such/key"),
    "filesystem-not-found": lambda: spark.read.text("s9://bucket/key"),
    "output-exists": lambda: (pets.write.parquet("file:///tmp/pets"), pets.write.parquet("file:///tmp/pets")),
    "python-task": lambda: pets.rdd.map(divide).collect(),
    "python-udf": lambda: pets.select(udf(lambda n: n + 1)("name")).collect(),
    "python-module-in-executor": lambda: pets.rdd.map(load).collect(),
    "cast": lambda: (spark.conf.set("spark.sql.ansi.enabled", "true"), spark.sql("SELECT CAST(name AS INT) FROM pets").collect()),
    "divide-by-zero": lambda: spark.sql("SELECT legs / 0 FROM pets").collect(),
    "format": lambda: spark.read.format("delta").load("file:///tmp/pets").show(),
    "result-too-large": lambda: spark.range(1000000).selectExpr("uuid()").collect(),
    "python-chained": chained,
    "python-from-cause": from_cause,
    "python-multi-line": multi_line,
    "executor-killed": lambda: pets.rdd.coalesce(1).foreach(die),
}
for name, failure in FAILURES.items():
    print("=== begin", name, flush=True)
    print("=== begin", name, file=sys.stderr, flush=True)
    sc._jvm.System.err.println("=== begin " + name)
    try:
        failure()
        print("nothing failed")
    except Exception:
        traceback.print_exc()
    sys.stderr.flush()
print("=== begin end", flush=True)
sc._jvm.System.err.println("=== begin end")
sys.exit(1)
'''

SCRIPTS = {
    "python-syntax": "def work(:\n    pass\n",
    "python-module": "import no_such_module\n",
    "python-argparse": "import argparse\np = argparse.ArgumentParser(prog='pets.py')\np.add_argument('--table', required=True)\np.parse_args()\n",
}

SQL = {
    "sql-shell-table": "select 'before';\nselect name from cats;\nselect 'never';\n",
    "sql-shell-syntax": "select 'before';\nselec x\nfrom y;",
}


def keep(name, stream, text):
    text = text[-KEPT:]
    if not text.strip():
        return
    if len(text) == KEPT:
        text = text[text.index("\n") + 1:]
    (HERE / ("%s.%s" % (name, stream))).write_text(text)
    print("recorded", name, stream, len(text), flush=True)


def record(ember, name, run):
    done = ember.wait_state(run, "FAILED", timeout_s=900)
    print(name, done["failureReason"], done["stateDetails"], flush=True)
    return {stream: ember.s3_log(run, stream) for stream in ("stdout", "stderr")}


def main():
    with tempfile.TemporaryDirectory(prefix="ember-rec-") as folder:
        ember = JobEmber(folder, spark_dir=ROOT / ".deps/spark").start()
        try:
            ember.prepare()
            def put(key, text):
                ember.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())
                return "s3://%s/%s" % (BUCKET, key)
            session = record(ember, "session", ember.submit(entry_point=put("session.py", SESSION), parameters=SMALL))
            for stream, text in session.items():
                for part in re.split(r"^=== begin ", text, flags=re.M)[1:]:
                    name, _, rest = part.partition("\n")
                    name != "end" and keep(name.strip(), stream, rest + (session[stream].split("=== begin end\n")[-1] if stream == "stderr" else ""))
            singles = {
                "java-heap": ember.submit("50000000", entry_point=EXAMPLES, parameters=SMALL + "--class org.apache.spark.examples.SparkPi"),
                "class-not-found": ember.submit(entry_point=EXAMPLES, parameters=SMALL + "--class org.example.NoSuchClass"),
                "entry-point-local": ember.submit(entry_point="local:///usr/lib/spark/no_such.py", parameters=SMALL),
                "entry-point-s3": ember.submit(entry_point="s3://%s/no/such/job.py" % BUCKET, parameters=SMALL),
                "java-main": ember.submit("many", entry_point=EXAMPLES, parameters=SMALL + "--class org.apache.spark.examples.SparkPi"),
            }
            singles.update({name: ember.submit(entry_point=put(name + ".py", text), parameters=SMALL) for name, text in SCRIPTS.items()})
            for name, text in SQL.items():
                request = ember.request()
                request["jobDriver"] = {"sparkSqlJobDriver": {"entryPoint": put(name + ".sql", text), "sparkSqlParameters": SMALL}}
                singles[name] = ember.emr.start_job_run(clientToken=name, **request)["id"]
            for name, run in singles.items():
                for stream, text in record(ember, name, run).items():
                    keep(name, stream, text)
        finally:
            ember.kill()


if __name__ == "__main__":
    main()
