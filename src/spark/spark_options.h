/* spark_options: the words behind "spark-submit", understood as org.apache.spark.deploy.SparkSubmitArguments and SparkSubmit do
 * in cluster mode on Kubernetes, with their error texts (ERR_INVALID). Pure: files come through the caller. Any thread. */
#pragma once
#include "base/err.h"
#include "spark/conf.h"

struct spark_env {
    struct slice name;
    struct slice value;
};

/* How a planner gets the text behind a path or URI (a properties file, a pod template). NULL: there are no files, and an option that
 * needs one is refused. */
struct spark_files {
    struct err *(*read)(void *context, struct arena *arena, struct slice uri, struct slice *ret_text);
    void *context;
};

enum spark_language { SPARK_JVM, SPARK_PYTHON, SPARK_R };

enum spark_banned_classes {
    SPARK_BANNED_CLASSES_REFUSED, /* as spark-submit: no SQL shell, Thrift or Connect server in cluster mode */
    SPARK_BANNED_CLASSES_ALLOWED, /* our SQL job driver: the pod's own spark-submit runs them */
};

enum spark_defaults_rule {
    SPARK_DEFAULTS_REPLACED, /* by a --properties-file, unless --load-spark-defaults is given: spark-submit's rule */
    SPARK_DEFAULTS_KEPT,     /* always below a --properties-file: a release's own defaults */
};

struct spark_options_input {
    const struct slice *argv; /* without the program's name */
    size_t argc;
    struct slice spark_version;          /* "3.5.9"; 4.0 and later know more options */
    const struct spark_conf *defaults;   /* spark-defaults.conf, read, with sources; NULL: none */
    enum spark_defaults_rule defaults_rule;
    const struct spark_conf *forced;     /* beats everything, options too; a note tells of each value it replaces. NULL: none */
    struct spark_files files;
    const struct spark_env *env;         /* the submitter's environment, as far as it matters */
    size_t env_count;
    enum spark_banned_classes banned_classes;
};

struct spark_options {
    struct spark_conf conf;      /* effective; options of their own are in it under their property's name */
    struct slice main_class;     /* for the pod's argument: user's, or PythonRunner, RRunner */
    struct slice primary_resource;
    enum spark_language language;
    const struct slice *app_args;
    size_t app_arg_count;
    struct slice proxy_user;     /* absent: none */
    struct slice name;           /* spark.app.name as resolved */
    bool verbose;
    const struct spark_env *env; /* as given */
    size_t env_count;
    struct slice *notes;         /* dropped keys and ignored options, for the log */
    size_t note_count;
};

/* ERR_INVALID with Spark's text. Slices live in the arena or borrow argv. */
struct err *spark_options_parse(struct arena *arena, const struct spark_options_input *input, struct spark_options *ret) NODISCARD;
bool spark_version_at_least(struct slice version, int major, int minor);
