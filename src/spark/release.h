/* release: EMR's release labels and which Spark they mean here. Pure, any thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum spark_release_policy {
    SPARK_RELEASE_NEAREST, /* another Spark of the same line may stand in */
    SPARK_RELEASE_STRICT,  /* only the exact Spark */
};

struct spark_release_choice {
    struct slice label;           /* as given */
    struct slice documented;      /* the Spark of the release on EMR, "3.5.6" */
    struct slice version;         /* the installed Spark that runs, "3.5.9" */
    struct slice image;           /* ember/spark:3.5.9 */
    bool exact;
    struct slice note;            /* what to tell the user when it is not exact; else empty */
};

/* The documented Spark version of a label: emr-X.Y.Z-latest, emr-X.Y.Z-YYYYMMDD, emr-X.Y.Z-VARIANT-latest (java8, java11,
 * java17, spark-rapids, spark-rapids-java8 …), emr-spark-8.1.0-latest.
 * ERR_NOT_FOUND "Release <label> doesn't exist." (ResourceNotFoundException). */
struct err *spark_release_find(struct slice label, struct slice *ret_version) NODISCARD;
/* Which installed Spark runs it: the exact one, else of the same major line (2 and 3 are one line, for Spark 2 runs nowhere any
 * more) the nearest. ERR_NOT_FOUND as above; ERR_INVALID when no installed Spark may run it. Slices borrow the arguments or
 * live in the arena. */
struct err *spark_release_choose(struct arena *arena, struct slice label, const struct slice *installed, size_t installed_count,
                                 enum spark_release_policy policy, struct spark_release_choice *ret_choice) NODISCARD;
/* The table, oldest first: label without its suffix ("emr-7.12.0") and Spark version. index < count. */
size_t spark_release_count(void);
void spark_release_get(size_t index, struct slice *ret_label, struct slice *ret_version);
