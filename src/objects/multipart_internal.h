/* multipart_internal: rows of uploads, for multipart.c and multipart_complete.c. */
#pragma once
#include "objects/objects_internal.h"

enum upload_state { UPLOAD_OPEN, UPLOAD_COMPLETE, UPLOAD_ABORTED };

struct upload_row {
    int64_t id;
    enum upload_state state;
    struct upload_view view;
    struct slice attributes; /* packed */
    struct slice fingerprint, etag, checksum; /* UPLOAD_COMPLETE */
    int64_t size_bytes;
    struct instant finished_at;
};

/* NoSuchUpload, in S3's words. */
struct err *upload_missing(void) NODISCARD;
/* In any state; the caller looks at it. NoSuchUpload. */
struct err *upload_find(struct db_tx *tx, struct arena *arena, int64_t bucket, struct slice key, struct slice upload_id,
                        struct upload_row *ret_row) NODISCARD;
/* Drops the parts that are still the upload's. */
struct err *upload_release_parts(struct db_tx *tx, struct blob_drops *drops, int64_t upload) NODISCARD;
