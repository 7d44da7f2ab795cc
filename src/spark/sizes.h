/* sizes: Spark's byte strings, its memory overhead rules and Java's text of a double. Pure, any thread.
 * Source: org.apache.spark.network.util.JavaUtils.byteStringAs, BasicDriverFeatureStep, Double.toString. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum spark_unit { SPARK_UNIT_BYTE = 0, SPARK_UNIT_KIB = 10, SPARK_UNIT_MIB = 20, SPARK_UNIT_GIB = 30 };

/* "1g", "512m", "2048" (then in the given unit) to a count of that unit, rounded down. ERR_INVALID with Spark's text. */
struct err *spark_size_parse(struct slice text, enum spark_unit unit, int64_t *ret_size) NODISCARD;
/* As Java's Double.parseDouble (decimal forms only). False when it is not a number. */
bool spark_double_parse(struct slice text, double *ret_value);
/* As Java's Double.toString: 0.1, 0.4, 1.0, 1.0E-4. */
struct slice spark_double_text(struct arena *arena, double value);

struct spark_overhead_input {
    int64_t heap_mib;
    int64_t explicit_mib; /* spark.driver.memoryOverhead; -1: not set */
    double factor;
    int64_t minimum_mib;
};
/* Overhead in MiB: the explicit one, else max(floor(factor * heap), minimum). */
int64_t spark_overhead_mib(const struct spark_overhead_input *input);
