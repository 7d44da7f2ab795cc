/* image: what an image name means on this machine. There is no registry to pull from: a name is a row of a small table, or it is
 * refused with the kubelet's words. Pure but for looking whether a release is installed. */
#pragma once
#include "base/err.h"

struct arena;
struct image {
    bool spark;
    struct slice spark_home, spark_version; /* spark */
};

/* `ember/host[:…]`: the bare machine, as are `busybox` and `pause` (their commands are the machine's own). `ember/spark:VERSION`,
 * `spark:VERSION`, `apache/spark:VERSION` and names with `spark/emr-…`: the Spark of releases_dir; of a version that is not
 * there the newest of the same major line. ERR_INVALID, code InvalidImageName: no image name; ERR_NOT_FOUND, code ErrImagePull. */
struct err *image_find(struct arena *arena, struct slice releases_dir, struct slice name, struct image *ret_image) NODISCARD;
