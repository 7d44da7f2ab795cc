package org.apache.spark.examples;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/**
 * Estimates pi by throwing darts, and prints it in the words of Spark's own example of this name.
 *
 * <p>Usage: SparkPi [slices]
 */
public final class SparkPi {
    private static final long DARTS_PER_SLICE = 100_000L;

    private SparkPi() {
    }

    public static void main(String[] args) {
        int slices = args.length > 0 ? Integer.parseInt(args[0]) : 2;
        SparkSession spark = SparkSession.builder().appName("Spark Pi").getOrCreate();
        JavaSparkContext context = new JavaSparkContext(spark.sparkContext());

        List<Integer> sliceNumbers = new ArrayList<>(slices);
        for (int i = 0; i < slices; i++) {
            sliceNumbers.add(i);
        }
        long hits = context.parallelize(sliceNumbers, slices).map(SparkPi::throwDarts).reduce(Long::sum);

        System.out.println("Pi is roughly " + 4.0 * hits / (DARTS_PER_SLICE * slices));
        spark.stop();
    }

    private static long throwDarts(int slice) {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        long hits = 0;
        for (long i = 0; i < DARTS_PER_SLICE; i++) {
            double x = random.nextDouble() * 2 - 1;
            double y = random.nextDouble() * 2 - 1;
            if (x * x + y * y <= 1) {
                hits++;
            }
        }
        return hits;
    }
}
