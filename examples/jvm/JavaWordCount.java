package org.apache.spark.examples;

import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.sql.SparkSession;

import scala.Tuple2;

/**
 * Counts the words of a text file or folder, sorted by word, so that the output can be compared.
 *
 * <p>Usage: JavaWordCount INPUT [OUTPUT]: without OUTPUT it prints "word: count" lines, with it writes them there.
 */
public final class JavaWordCount {
    private static final Pattern SPACE = Pattern.compile("\\s+");

    private JavaWordCount() {
    }

    public static void main(String[] args) {
        if (args.length < 1) {
            System.err.println("Usage: JavaWordCount <file> [<output>]");
            System.exit(1);
        }
        SparkSession spark = SparkSession.builder().appName("JavaWordCount").getOrCreate();

        JavaPairRDD<String, Integer> counts = spark.read().textFile(args[0]).javaRDD()
                .flatMap(line -> Arrays.asList(SPACE.split(line)).iterator())
                .filter(word -> !word.isEmpty())
                .mapToPair(word -> new Tuple2<>(word, 1))
                .reduceByKey(Integer::sum)
                .sortByKey();

        if (args.length > 1) {
            counts.map(entry -> entry._1() + ": " + entry._2()).saveAsTextFile(args[1]);
        } else {
            List<Tuple2<String, Integer>> entries = counts.collect();
            for (Tuple2<String, Integer> entry : entries) {
                System.out.println(entry._1() + ": " + entry._2());
            }
        }
        spark.stop();
    }
}
