/* logship_internal: what the shipper's files share.
 *
 * Streams hang under runs. A stream has at most one reader thread, which appends to its spool, and for each sink a lane, which at most one
 * shipper has at a time (busy). Each sink has shippers of its own, so that one that is slow or away never holds up the other. Shippers look for the
 * lane that has been due longest, copy what they need, work without the lock, and write the result back.
 *
 * lock guards everything in struct logship, log_run, log_stream and log_lane but what is marked. Clients, paths and credentials of a run never
 * change once opened. A run is freed only when no reader and no shipper has it (users == 0). */
#pragma once
#include "base/clock.h"
#include "base/mutex.h"
#include "logship/logship.h"
#include "logship/rotation.h"
#include "logship/sinks.h"
#include "logship/spool.h"
#include <pthread.h>

enum log_sink { LOG_SINK_S3, LOG_SINK_CLOUDWATCH, LOG_SINK_COUNT };

#define SHIPPERS_PER_SINK 3
#define READERS_MAX 1024     /* threads that follow a log */
#define LAST_READERS_MAX 64  /* more of them, for containers that have ended: those are short */
#define CONTROL_CONTAINER "control"
#define LOG_RUN_BUCKETS 1024

struct log_lane {
    bool busy;
    int64_t due_ms;    /* monotonic: not before */
    int64_t retry_ms;  /* back-off; 0: the last shipment went well */
    int64_t acked;     /* bytes of the spool that the sink has; -1: not even an empty object */
};

/* A pod of the stream's name; those before it, too. */
struct log_pod {
    struct slice uid;
    struct log_pod *earlier;
};
#define POD_BEGINS_AT_END (-1) /* of the spool, wherever that will be */

struct log_stream {
    struct log_stream *next;
    struct log_run *run;
    struct slice pod, container, name; /* never change; name: stdout or stderr */
    struct slice path, progress_path, rotation_path, pods_path; /* never change */
    struct log_pod *pod_now; /* whose log the spool is at; changes only while nobody reads. NULL: that was never told */
    int64_t pod_begin;       /* in the spool: that pod's log begins here */
    bool pod_entered;        /* that is on record */
    struct slice next_uid;   /* of the pod that has the name now: its log comes behind; absent: none */
    bool next_ended;         /* its container has ended */
    int64_t size;        /* bytes spooled */
    bool told;           /* its container was told since this start: there is, or was, a log to read */
    bool told_ended;     /* the container has ended */
    int64_t told_ended_ms; /* monotonic: since when that is known */
    bool reading, ended; /* a reader has it; nothing more will come */
    bool following;      /* the reader waits for more as long as the container runs */
    int64_t heard_ms;    /* monotonic: when the reader began, or the last bytes came */
    volatile bool stop;  /* atomic: ends the call that reads; the http client looks at it */
    struct log_lane lanes[LOG_SINK_COUNT];
    /* CloudWatch's shipper only */
    struct spool_progress progress;
    bool unsure; /* progress.sending_offset: that batch may have arrived */
    struct rotation rotation; /* S3's shipper only */
};

struct log_run {
    struct log_run *next, *bucket_next;
    struct logship *ship;
    struct arena *arena;
    struct logship_run what;
    struct slice dir;
    struct log_stream *streams;
    bool finished;
    bool spool_synced;              /* since its logs were read */
    int64_t finished_ms;            /* monotonic */
    int64_t progress_ms;            /* monotonic: when something was read or shipped last */
    enum logship_state announced;   /* SHIPPING: nothing yet */
    bool closed;
    int users;                      /* readers and shippers inside */
    volatile bool stop;             /* atomic: of the shippers' calls; its streams have their own */
    bool counted;                   /* spooled_bytes are part of the ship's */
    int64_t spooled_bytes;          /* of all its streams */
    char *cut_short;                /* why what came later is not in the spool, or NULL */
    char *trouble[LOG_SINK_COUNT];  /* of the last failed call, or NULL */
    char *read_trouble;
};

struct logship {
    struct logship_options options;
    struct http_client *client;
    struct mutex lock;
    struct condition work;  /* for shippers */
    struct condition quiet; /* for readers that wait and for those who wait for users to leave */
    struct log_run *runs;
    struct log_run *buckets[LOG_RUN_BUCKETS]; /* the same runs by id */
    int64_t spooled_bytes; /* of all runs */
    int readers;
    bool readers_wanted; /* a stream found no reader */
    bool stopping;
    volatile bool stop;  /* atomic: as run.stop, for calls of no run */
    pthread_t shippers[LOG_SINK_COUNT * SHIPPERS_PER_SINK];
    struct log_shipper {
        struct logship *ship;
        enum log_sink sink;
    } shipper_args[LOG_SINK_COUNT * SHIPPERS_PER_SINK];
    size_t shipper_count;
};

/* Under the lock, all of these. */
bool log_run_wants(const struct log_run *run, enum log_sink sink);
bool log_run_is_whole(const struct log_run *run);
enum logship_state log_run_state(const struct log_run *run);
int64_t log_run_give_up_at(const struct log_run *run); /* monotonic; of a run that is finished */
struct log_run *log_run_find(struct logship *ship, struct slice id); /* NULL: none that is open */
void log_run_insert(struct logship *ship, struct log_run *run);
void log_run_remove(struct logship *ship, struct log_run *run);
void log_run_stop(struct log_run *run); /* calls that run end */
/* The stream of that name, made when there is none. */
struct log_stream *log_run_add_stream(struct log_run *run, struct slice pod, struct slice container, struct slice name);
void log_stream_grow(struct log_stream *s, int64_t bytes); /* its spool did */
void log_stream_free_space(struct log_stream *s, int64_t bytes); /* so much of its spool is no longer on disk */
void log_stream_told_ended(struct log_stream *s);
/* Ends a follow from which nothing has come for long after its container's end: its connection may hang. It is read once more. */
void log_stream_unstick(struct log_stream *s);
bool log_stream_is_control(const struct log_stream *s);
/* What is told is of the pod with this uid. True: of the one whose log the spool is at. */
bool log_stream_tell_pod(struct log_stream *s, struct slice uid, bool ended);
/* The pod that the spool is at was read: on to the one that has its name now. False: there is none. */
bool log_stream_next_pod(struct log_stream *s);
/* Follows the stream's log if it is to be followed and is not yet. One that finds no reader waits for one. */
void log_stream_read(struct log_stream *s);
void log_stream_end(struct log_stream *s); /* nothing more will come: what is left is due */
void log_run_leave(struct log_run *run); /* users-- */
void log_run_set_trouble(char **trouble, const struct err *e); /* e NULL: none */

void *log_shipper_main(void *arg); /* struct log_shipper */
/* Not under the lock. */
struct log_run *log_run_new(struct logship *ship, const struct logship_run *what); /* with what is left of its spool */
void log_run_free(struct log_run *run);
/* For writing; made, with the run's directory, when it is the first. */
struct err *log_stream_open(const struct log_stream *s, int *ret_fd) NODISCARD;
/* What is on record of the pods of a spool that an earlier start has left. */
struct err *log_stream_resume_pods(struct log_stream *s) NODISCARD;
/* Before the first read of a pod's log; fd is the spool. Its reader only. */
struct err *log_stream_enter_pod(struct log_stream *s, int fd) NODISCARD;
struct slice log_stream_key(struct arena *arena, const struct log_stream *s, const char *suffix);
struct slice log_cloudwatch_stream(struct arena *arena, const struct logship_run *w, struct slice key);
struct sigv4_credentials log_credentials(const struct logship_run *w);
