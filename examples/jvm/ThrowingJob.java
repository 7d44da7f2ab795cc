package org.apache.spark.examples;

import java.util.Collections;

import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/**
 * Fails on purpose, to see what a failed job run looks like.
 *
 * <p>Usage: ThrowingJob [driver|executor|exit] [MESSAGE or, for exit, the exit code]: an exception in the driver (the
 * default), in a task, or a plain exit with that code after Spark has started.
 */
public final class ThrowingJob {
    private ThrowingJob() {
    }

    public static void main(String[] args) {
        String where = args.length > 0 ? args[0] : "driver";
        String message = args.length > 1 ? args[1] : "this job fails on purpose";
        SparkSession spark = SparkSession.builder().appName("ThrowingJob").getOrCreate();

        switch (where) {
        case "driver":
            throw new IllegalStateException(message);
        case "executor":
            JavaSparkContext context = new JavaSparkContext(spark.sparkContext());
            context.parallelize(Collections.singletonList(message), 1).foreach(text -> {
                throw new IllegalStateException(text);
            });
            break;
        case "exit":
            System.exit(Integer.parseInt(message));
            break;
        default:
            throw new IllegalArgumentException("driver, executor or exit, not " + where);
        }
    }
}
