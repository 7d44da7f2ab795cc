/* spark_command: the entry point of Spark's container image, without its shell and its launcher JVM. `driver …` becomes what
 * bin/spark-submit in the pod would have executed in the end, `executor` a KubernetesExecutorBackend, anything else is run as
 * it is (Spark's kubernetes/dockerfiles/spark/entrypoint.sh and launcher/SparkSubmitCommandBuilder, 3.5). Pure.
 *
 * Jars are listed one by one and the conf folder comes last, unlike in Spark's own command: only so a class data archive
 * matches (a folder in front of a jar spoils it). No jar of Spark's holds a file that one would put into the conf folder. */
#pragma once
#include "base/err.h"
#include "runner/run_spec.h"

#define SANDBOX_SPARK_HOME "/opt/spark"
#define SANDBOX_ARCHIVES "/opt/ember/archives"
#define SANDBOX_DUMP "/opt/ember/dump"
#define SANDBOX_PYTHON "/opt/ember/python"

struct spark_command_input {
    const struct run_container *container;
    struct slice java;          /* path of java in the sandbox */
    const struct slice *jars;   /* names in SPARK_HOME/jars, sorted */
    size_t jar_count;
    struct slice properties;    /* content of the file that --properties-file names; absent: none */
    bool has_driver_archive, has_executor_archive;
};

struct command {
    struct slice *argv;
    size_t argc;
    struct slice library_path; /* to be put in front of LD_LIBRARY_PATH; absent: nothing */
};

enum spark_role { SPARK_OTHER, SPARK_DRIVER, SPARK_EXECUTOR };

/* What the container's arguments ask for. A command given by the pod replaces the entry point: SPARK_OTHER. */
enum spark_role spark_role_of(const struct run_container *container);
/* The value of --properties-file in a driver's arguments, or SLICE_NONE. */
struct slice spark_properties_path(const struct run_container *container);
/* ERR_INVALID: a java option string with an open quote, or a variable the executor needs is not set. */
struct err *spark_command_build(struct arena *arena, const struct spark_command_input *input, struct command *ret_command) NODISCARD;

/* java.util.Properties: value of the last line for key, or SLICE_NONE. */
struct slice properties_get(struct arena *arena, struct slice text, struct slice key);
/* Splits options as Spark's launcher does (blanks, double and single quotes, backslash). ERR_INVALID: open quote. */
struct err *option_string_split(struct arena *arena, struct slice text, struct slice **ret_items, size_t *ret_count) NODISCARD;
