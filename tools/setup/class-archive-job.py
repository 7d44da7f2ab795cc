"""The job whose classes go into the class data archives: what most jobs use, in the driver and in an executor."""
import os
import time
from operator import add

from pyspark import StorageLevel
from pyspark.sql import SparkSession, functions as f


def pi(spark):
    def inside(_):
        from random import random

        return 1 if (random() * 2 - 1) ** 2 + (random() * 2 - 1) ** 2 <= 1 else 0

    count = spark.sparkContext.parallelize(range(1, 20001), 2).map(inside).reduce(add)
    print("Pi is roughly %f" % (4.0 * count / 20000))


def shuffle(spark):
    words = spark.sparkContext.parallelize(["a b", "b c"] * 50, 2).flatMap(str.split).map(lambda w: (w, 1))
    print(sorted(words.reduceByKey(add).persist(StorageLevel.MEMORY_AND_DISK).collect()))


def sql(spark):
    spark.conf.set("spark.sql.shuffle.partitions", "2")
    people = spark.createDataFrame([(i, "name %d" % (i % 7), i * 1.5) for i in range(100)], "id long, name string, amount double")
    people.createOrReplaceTempView("people")
    spark.range(100).withColumn("half", (f.col("id") / 2).cast("int")).createOrReplaceTempView("halves")
    spark.sql("select name, count(*) n, sum(amount) total, max(half) from people join halves using (id) where id > 3 group by name order by total desc").show()
    shout = f.udf(lambda text: text.upper(), "string")
    print(people.select(shout("name"), f.when(f.col("id") > 50, "b").otherwise("a")).distinct().count())
    spark.sql("show tables").collect()
    people.cache().count()


def wait_for_executor(archive):
    """Its JVM writes after we have let it go, and would be killed half a minute after our own end. It has no other way to tell."""
    sizes = [0]
    for _ in range(300):
        time.sleep(1)
        sizes.append(os.path.getsize(archive) if os.path.exists(archive) else 0)
        if sizes[-1] and sizes[-1] == sizes[-2]:
            return


if __name__ == "__main__":
    session = SparkSession.builder.appName("class-archive").getOrCreate()
    pi(session)
    shuffle(session)
    sql(session)
    session.stop()
    wait_for_executor("/opt/ember/dump/executor.jsa")
