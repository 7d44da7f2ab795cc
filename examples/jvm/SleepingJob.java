package org.apache.spark.examples;

import java.util.ArrayList;
import java.util.List;

import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/**
 * Holds its driver and its executors for a while, to cancel it, to watch it, or to restart something under it.
 *
 * <p>Usage: SleepingJob [SECONDS] [TASKS]: 60 seconds in the driver, then, when TASKS is given, as long in each task.
 * It prints "Sleeping" when it starts and "Awake" at its end.
 */
public final class SleepingJob {
    private SleepingJob() {
    }

    public static void main(String[] args) throws InterruptedException {
        long seconds = args.length > 0 ? Long.parseLong(args[0]) : 60;
        int tasks = args.length > 1 ? Integer.parseInt(args[1]) : 0;
        SparkSession spark = SparkSession.builder().appName("SleepingJob").getOrCreate();

        System.out.println("Sleeping for " + seconds + " s");
        Thread.sleep(seconds * 1000);
        if (tasks > 0) {
            JavaSparkContext context = new JavaSparkContext(spark.sparkContext());
            List<Integer> numbers = new ArrayList<>(tasks);
            for (int i = 0; i < tasks; i++) {
                numbers.add(i);
            }
            context.parallelize(numbers, tasks).foreach(number -> Thread.sleep(seconds * 1000));
        }
        System.out.println("Awake");
        spark.stop();
    }
}
