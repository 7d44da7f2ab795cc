/* rotation: a log in S3 as several objects of a bounded size (containerLogRotationConfiguration). The spool stays one file; it is only cut at
 * offsets. An object that is full never changes and is put once; the rest of the log, which still grows, is put as without rotation. So what
 * shipping costs is bounded by the size of one object, however long the log is.
 *
 * Names: STREAM.gz is the current one, STREAM_YYYYMMDD_INDEX.gz those before it, as the guides of EMR's Spark and Flink operators have it ("a
 * rotated file, with an incrementing index, and a current file"); what StartJobRun's runs have is not published. Our own: the date is that of the
 * object's last line (UTC), the index counts from 1 over the whole stream. Both follow from the log alone, so that an object that is put again
 * after a crash is the same one.
 *
 * Nothing is ever removed from S3: the documented permissions have PutObject alone, and maxFilesToKeep is about the files "in container". Here it
 * says how much of what was shipped stays in the spool.
 *
 * Functions without state, any thread. */
#pragma once
#include "base/err.h"
#include "base/strbuf.h"

/* How far a stream's rotation is: kept beside its spool in one small record. */
struct rotation {
    int64_t start;   /* in the spool: the current object begins here */
    int64_t index;   /* of the last object that is full; 0: none yet */
    int64_t last_ms; /* of the last line that is in one of them */
    int64_t freed;   /* bytes at the spool's start that were given back to the disk */
};
/* Nothing written yet, or nothing that can be read: all zero. */
struct err *rotation_read(const char *path, struct rotation *ret_rotation) NODISCARD;
/* durable: survives a power cut when it returns. */
struct err *rotation_write(const char *path, const struct rotation *rotation, bool durable) NODISCARD;

struct rotation_cut {
    bool full;       /* there is more text than one object takes: it ends at end */
    int64_t end;     /* at the start of a line; inside of one that alone is too long */
    int64_t last_ms; /* of the last line that begins before end; the given one when none does */
};
/* Where the object that begins at from ends. Depends on the log alone, not on how much of it was there when it was asked, once it is full. */
struct err *rotation_find(const char *path, int64_t from, int64_t size, int64_t max_text_bytes, int64_t last_ms, struct rotation_cut *ret_cut) NODISCARD;

/* "_20261122_3.gz" */
struct slice rotation_suffix(struct arena *arena, int64_t last_ms, int64_t index);

/* How far the spool's bytes [from, size) can be told while its log goes on: not into a time stamp that is only half there. */
struct err *rotation_find_end(const char *path, int64_t from, int64_t size, int64_t *ret_end) NODISCARD;

/* Packed text: in memory while it is little, behind that in a file without a name beside the spool, which is mapped. */
struct packed {
    struct strbuf small; /* all of it, or what is not in the file yet */
    int fd;              /* -1: there is none */
    void *map;           /* of the file once it is whole */
    size_t map_bytes;
};
#define PACKED_EMPTY {.fd = -1}
#define PACKED_IN_MEMORY_BYTES ((size_t)8 << 20)
struct slice packed_bytes(const struct packed *packed); /* while it is there */
void packed_deinit(struct packed *packed);

/* The text of the spool's bytes [from, to), packed piece by piece: a gzip file may have many members. */
struct err *rotation_pack(const char *path, int64_t from, int64_t to, struct packed *out) NODISCARD;
/* Gives the spool's first bytes back to the disk: they read as zero from now on. ERR_INVALID: this file system does not. */
struct err *rotation_free(const char *path, int64_t to) NODISCARD;
