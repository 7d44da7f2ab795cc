/* Log shipping between fakes of both ends: a pod's log as the Kubernetes API gives it, and an S3 and CloudWatch Logs
 * that remember. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/gzip.h"
#include "base/json.h"
#include "http/server.h"
#include "logship/logship.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define RUN "000000000000000001"
#define VC "vc1"
#define DRIVER "spark-" RUN "-driver"
#define KEY VC "/jobs/" RUN "/containers/spark-" RUN "/" DRIVER

/* In place of libc's. */
static int syncs, failing_syncs;

int syncfs(int fd)
{
    syncs++;
    errno = EIO;
    return failing_syncs-- > 0 ? -1 : 0;
}

struct stored {
    char path[300];
    struct strbuf body;
    int puts;
};

struct fake {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct http_server *server;
    struct k8s_client *client;
    struct logship *ship;
    char dir[64], endpoint[64];
    /* the pod */
    struct strbuf out, err_; /* with time stamps */
    const char *uid; /* of the pod that is there; NULL: none */
    bool pods_hidden; /* we may read logs and not pods */
    bool log_ended, log_gone, no_split, stopping;
    const char *minor;
    size_t break_after; /* the connection breaks after so many bytes, once */
    int log_reads;
    bool hangs; /* a follow never ends */
    int64_t rotation_bytes;
    bool s3_only;
    int slow_ms; /* each call of S3 takes so long */
    bool disabled; /* the logs that can be */
    struct logship_options options; /* what differs from the usual */
    /* the sinks */
    struct stored objects[16], streams[16];
    size_t object_count, stream_count;
    bool bucket, group;
    bool denied;
    int s3_failures;  /* so many calls answer 503 */
    int lose_answers; /* so many PutLogEvents are kept but answer 500 */
    int changes;
};

static struct stored *find(struct stored *all, size_t count, struct slice path)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(slice_from_cstr(all[i].path), path))
            return &all[i];
    return NULL;
}

static struct stored *make(struct stored *all, size_t *count, struct slice path)
{
    struct stored *s = find(all, *count, path);
    if (!s) {
        assert_true(*count < 16);
        s = &all[(*count)++];
        snprintf(s->path, sizeof(s->path), "%.*s", SLICE_ARG(path));
    }
    return s;
}

/* ---- the Kubernetes API ---- */

static void answer_log(struct fake *f, struct http_request *request)
{
    struct slice stream = http_query_get(request->arena, request->query, S("stream"));
    bool follow = http_query_get(request->arena, request->query, S("follow")).ptr != NULL;
    pthread_mutex_lock(&f->lock);
    f->log_reads++;
    bool gone = f->log_gone, refused = f->no_split && stream.ptr;
    pthread_mutex_unlock(&f->lock);
    if (gone || refused) {
        http_respond(
            request, gone ? 404 : 422, NULL, 0,
            gone ? S("{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"pods not found\"}")
                 : S("{\"kind\":\"Status\",\"code\":422,\"reason\":\"Invalid\",\"message\":\"PodLogOptions is invalid: "
                     "stream: Forbidden: may not be specified\"}"));
        return;
    }
    struct strbuf *text = slice_eq(stream, S("Stderr")) ? &f->err_ : &f->out;
    size_t sent = 0;
    struct err *e = http_respond_begin(request, 200, NULL, 0, -1);
    pthread_mutex_lock(&f->lock);
    const char *uid = f->uid;
    while (!e && !f->stopping && f->uid == uid) {
        size_t to = text->len;
        bool breaks = f->break_after && text == &f->out && to > f->break_after;
        if (breaks)
            to = f->break_after;
        struct slice piece = slice_dup(request->arena, slice_sub(strbuf_slice(text), sent, to - sent));
        if (breaks)
            f->break_after = 0;
        bool ended = (f->log_ended && !f->hangs) || !follow;
        pthread_mutex_unlock(&f->lock);
        if (piece.len)
            e = http_respond_write(request, piece);
        sent += piece.len;
        if (breaks)
            return; /* without an end */
        pthread_mutex_lock(&f->lock);
        if (sent == text->len && ended)
            break;
        bool ends_now = (f->log_ended && !f->hangs) || !follow; /* said while the lock was given away: nobody says it twice */
        if (sent == text->len && !ends_now && !f->stopping)
            pthread_cond_wait(&f->cond, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    err_free(e);
    http_respond_end(request);
}

static void answer_pod(struct fake *f, struct http_request *request)
{
    pthread_mutex_lock(&f->lock);
    const char *uid = f->log_gone ? NULL : f->uid;
    bool hidden = f->pods_hidden;
    pthread_mutex_unlock(&f->lock);
    if (hidden) {
        http_respond(request, 403, NULL, 0, S("{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\",\"message\":\"pods is forbidden\"}"));
        return;
    }
    http_respond(request, uid ? 200 : 404, NULL, 0,
                 uid ? slice_fmt(request->arena, "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"" DRIVER "\",\"uid\":\"%s\"}}", uid)
                     : S("{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"pods not found\"}"));
}

/* ---- S3 and CloudWatch Logs ---- */

static void answer_s3(struct fake *f, struct http_request *request, struct slice body)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)f->slow_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&f->lock);
    while (f->slow_ms && !f->stopping && pthread_cond_timedwait(&f->cond, &f->lock, &until) == 0)
        ;
    int status = 200;
    struct slice text = S("");
    bool is_bucket = slice_eq(request->path, S("/logs"));
    if (f->s3_failures > 0) {
        f->s3_failures--;
        status = 503;
        text = S("<Error><Code>SlowDown</Code><Message>slow down</Message></Error>");
    } else if (f->denied) {
        status = 403;
        text = S("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
    } else if (is_bucket) {
        f->bucket = true;
    } else if (!f->bucket) {
        status = 404;
        text = S("<Error><Code>NoSuchBucket</Code><Message>no bucket</Message></Error>");
    } else {
        struct stored *object = make(f->objects, &f->object_count, request->path);
        strbuf_truncate(&object->body, 0);
        strbuf_append(&object->body, body);
        object->puts++;
    }
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
    http_respond(request, status, NULL, 0, text);
}

static void refuse(struct http_request *request, const char *type)
{
    http_respond(request, 400, NULL, 0, slice_fmt(request->arena, "{\"__type\":\"%s\",\"message\":\"said no\"}", type));
}

static void put_events(struct fake *f, struct http_request *request, const struct json *input, struct stored *stream)
{
    JSON_FOREACH (event, json_get(input, S("logEvents")))
        strbuf_append_fmt(&stream->body, "%lld %.*s\n", (long long)json_get_i64(event, "timestamp", 0),
                          SLICE_ARG(json_get_text(event, "message")));
    stream->puts++;
    bool lose = f->lose_answers > 0;
    f->lose_answers -= lose;
    http_respond(request, lose ? 500 : 200, NULL, 0, S("{}"));
}

static void get_events(struct http_request *request, const struct stored *stream)
{
    struct json *output = json_object(request->arena), *events = json_ensure_array(request->arena, output, "events");
    struct slice rest = strbuf_slice(&stream->body);
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice stamp = slice_cut(&line, ' ');
        int64_t ms = 0;
        assert_true(slice_to_i64(stamp, 0, INT64_MAX, &ms));
        struct json *event = json_object(request->arena);
        json_set_i64(request->arena, event, "timestamp", ms);
        json_set_text(request->arena, event, "message", line);
        json_append(events, event);
    }
    http_respond(request, 200, NULL, 0, json_to_slice(request->arena, output));
}

static void answer_logs(struct fake *f, struct http_request *request, struct slice body)
{
    struct slice target = http_header_get(request->headers, S("X-Amz-Target"));
    struct json *input = NULL;
    err_free(json_parse(request->arena, body, JSON_DUPLICATES_REFUSE, &input));
    struct slice name = json_get_text(input, "logStreamName");
    pthread_mutex_lock(&f->lock);
    struct stored *stream = find(f->streams, f->stream_count, name);
    if (slice_ends_with(target, S(".CreateLogGroup"))) {
        f->group = true;
        http_respond(request, 200, NULL, 0, S(""));
    } else if (!f->group) {
        refuse(request, "ResourceNotFoundException");
    } else if (slice_ends_with(target, S(".CreateLogStream"))) {
        make(f->streams, &f->stream_count, name);
        http_respond(request, 200, NULL, 0, S(""));
    } else if (!stream) {
        refuse(request, "ResourceNotFoundException");
    } else if (slice_ends_with(target, S(".PutLogEvents"))) {
        put_events(f, request, input, stream);
    } else {
        get_events(request, stream);
    }
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

static void handle(struct http_request *request, void *ctx)
{
    struct fake *f = ctx;
    struct slice body = S("");
    err_free(http_body_read_all(request, 64 << 20, &body));
    if (slice_starts_with(request->path, S("/api/v1/namespaces/ns/pods/" DRIVER "/log")))
        answer_log(f, request);
    else if (slice_eq(request->path, S("/api/v1/namespaces/ns/pods/" DRIVER)))
        answer_pod(f, request);
    else if (slice_eq(request->path, S("/version")))
        http_respond(request, 200, NULL, 0,
                     slice_fmt(request->arena, "{\"major\":\"1\",\"minor\":\"%s\"}", f->minor ? f->minor : "34+"));
    else if (slice_find(http_header_get(request->headers, S("Authorization")), S("/us-east-1/s3/aws4_request")) >= 0)
        answer_s3(f, request, body);
    else if (slice_find(http_header_get(request->headers, S("Authorization")), S("/us-east-1/logs/aws4_request")) >= 0)
        answer_logs(f, request, body);
    else
        http_respond(request, 400, NULL, 0, S("who are you"));
}

/* ---- fixture ---- */

static void changed(void *ctx, struct slice id)
{
    struct fake *f = ctx;
    pthread_mutex_lock(&f->lock);
    f->changes++;
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

static struct logship_run run_of(const struct fake *f)
{
    return (struct logship_run){.job_run_id = S(RUN),
                                .virtual_cluster_id = S(VC),
                                .client = f->client,
                                .namespace_ = S("ns"),
                                .access_key_id = S("AKIAEXAMPLE"),
                                .secret_access_key = S("secret"),
                                .session_token = S("token"),
                                .log_uri = S("s3://logs/a/b/"),
                                .log_group_name = f->s3_only ? SLICE_NONE : S("/group"),
                                .log_stream_name_prefix = S("pre"),
                                .rotation_bytes = f->rotation_bytes,
                                .rotation_files = 1,
                                .no_executor_logs = f->disabled,
                                .no_control_logs = f->disabled};
}

static void ship_start(struct fake *f)
{
    struct err *e = logship_start(&(struct logship_options){.spool_dir = slice_from_cstr(f->dir),
                                                            .endpoint = slice_from_cstr(f->endpoint),
                                                            .region = S("us-east-1"),
                                                            .event_past_ms = f->options.event_past_ms ? f->options.event_past_ms : INT64_MAX / 4,
                                                            .event_future_ms = f->options.event_future_ms ? f->options.event_future_ms : INT64_MAX / 4,
                                                            .quiet_ms = f->options.quiet_ms,
                                                            .s3_every_ms = f->options.s3_every_ms,
                                                            .give_up_ms = f->options.give_up_ms,
                                                            .run_max_bytes = f->options.run_max_bytes,
                                                            .total_max_bytes = f->options.total_max_bytes,
                                                            .changed = changed,
                                                            .changed_ctx = f},
                                  &f->ship);
    assert_null(e);
    struct logship_run run = run_of(f);
    assert_null(logship_open(f->ship, &run));
}

static void fake_start(struct fake *f)
{
    *f = (struct fake){
        .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER, .uid = "u1", .dir = "/tmp/logship_test.XXXXXX"};
    assert_non_null(mkdtemp(f->dir));
    assert_null(http_server_start(
        &(struct http_server_options){.address = "127.0.0.1", .handler = handle, .ctx = f, .worker_count = 16},
        &f->server));
    snprintf(f->endpoint, sizeof(f->endpoint), "http://127.0.0.1:%u", http_server_port(f->server));
    assert_null(k8s_client_new(&(struct k8s_client_options){.server = slice_from_cstr(f->endpoint)}, &f->client));
}

static void fake_end(struct fake *f)
{
    logship_stop(f->ship);
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
    http_server_stop(f->server, 2000);
    k8s_client_free(f->client);
    for (size_t i = 0; i < 16; i++) {
        strbuf_deinit(&f->objects[i].body);
        strbuf_deinit(&f->streams[i].body);
    }
    strbuf_deinit(&f->out);
    strbuf_deinit(&f->err_);
    assert_null(tree_remove(f->dir));
}

static void fake_say(struct fake *f, struct strbuf *where, const char *text)
{
    pthread_mutex_lock(&f->lock);
    strbuf_append_cstr(where, text);
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

static void tell_of(struct fake *f, const char *uid, enum logship_container_state state)
{
    logship_container(f->ship, S(RUN), S(DRIVER), slice_from_cstr(uid), S("spark-kubernetes-driver"), state);
}

static void tell(struct fake *f, enum logship_container_state state)
{
    tell_of(f, f->uid, state);
}

static void end_log(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    f->log_ended = true;
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
    tell(f, LOGSHIP_CONTAINER_ENDED);
}

/* Waits up to two minutes for the run to be whole. */
static void expect_whole(struct fake *f)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice trouble = S("");
    int64_t until_ms = monotonic_ms() + 120000;
    enum logship_state state = LOGSHIP_SHIPPING;
    pthread_mutex_lock(&f->lock);
    while (state == LOGSHIP_SHIPPING && monotonic_ms() < until_ms) {
        pthread_mutex_unlock(&f->lock);
        state = logship_state(f->ship, arena, S(RUN), &trouble);
        pthread_mutex_lock(&f->lock);
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_nsec += 100000000;
        at.tv_sec += at.tv_nsec / 1000000000;
        at.tv_nsec %= 1000000000;
        if (state == LOGSHIP_SHIPPING)
            pthread_cond_timedwait(&f->cond, &f->lock, &at);
    }
    pthread_mutex_unlock(&f->lock);
    assert_int_equal(state, LOGSHIP_WHOLE);
}

/* Waits for the stream (object) to hold this text. */
static void expect_text(struct fake *f, bool is_object, const char *path, const char *want)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 120;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        struct stored *s = is_object ? find(f->objects, f->object_count, slice_from_cstr(path))
                                     : find(f->streams, f->stream_count, slice_from_cstr(path));
        struct slice got = s ? strbuf_slice(&s->body) : S("(none)");
        if (s && is_object && slice_ends_with(slice_from_cstr(path), S(".gz")))
            assert_null(gzip_decode(arena, strbuf_slice(&s->body), 1 << 20, &got));
        if (slice_eq(got, slice_from_cstr(want)))
            break;
        if (pthread_cond_timedwait(&f->cond, &f->lock, &until) == ETIMEDOUT)
            fail_msg("%s holds\n%.*s\nnot\n%s", path, SLICE_ARG(got), want);
    }
    pthread_mutex_unlock(&f->lock);
}

#define T1 "2026-11-21T21:10:00.000000001Z "
#define T2 "2026-11-21T21:10:01.5Z "
#define T3 "2026-11-21T21:10:02Z "
#define OUT_GZ "/logs/a/b/" KEY "/stdout.gz"
#define ERR_GZ "/logs/a/b/" KEY "/stderr.gz"
#define OUT_STREAM "pre/" KEY "/stdout"
#define ERR_STREAM "pre/" KEY "/stderr"

/* ---- tests ---- */

static void test_a_drivers_log_is_in_both_sinks_while_it_runs_and_whole_at_its_end(void **state)
{
    struct fake f;
    fake_start(&f);
    fake_say(&f, &f.out, T1 "hello\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, false, OUT_STREAM, "1795295400000 hello\n");
    expect_text(&f, true, OUT_GZ, "hello\n");
    fake_say(&f, &f.out, T2 "world\n" T3 "\n");
    expect_text(&f, false, OUT_STREAM, "1795295400000 hello\n1795295401500 world\n1795295402000  \n");
    fake_say(&f, &f.err_, T3 "oops");
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, OUT_GZ, "hello\nworld\n\n");
    expect_text(&f, true, ERR_GZ, "oops");
    expect_text(&f, false, ERR_STREAM, "1795295402000 oops\n");
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    assert_string_equal(slice_cstr(arena, logship_tail(f.ship, arena, S(RUN), S(DRIVER), S("stdout"), 1000)),
                        "hello\nworld\n\n");
    pthread_mutex_lock(&f.lock);
    while (!f.changes) /* comes right after the state; a test that hangs here is ended by its time-out */
        pthread_cond_wait(&f.cond, &f.lock);
    pthread_mutex_unlock(&f.lock);
    logship_close(f.ship, S(RUN));
    struct slice trouble;
    assert_int_equal(logship_state(f.ship, arena, S(RUN), &trouble), LOGSHIP_UNKNOWN);
    fake_end(&f);
}

static void test_a_log_whose_connection_breaks_inside_a_line_is_neither_cut_nor_doubled(void **state)
{
    struct fake f;
    fake_start(&f);
    f.break_after = strlen(T1 "one\n" T2 "two\n" T2 "tw");
    fake_say(&f, &f.out, T1 "one\n" T2 "two\n" T2 "two again\n" T3 "three\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, false, OUT_STREAM,
                "1795295400000 one\n1795295401500 two\n1795295401500 two again\n1795295402000 three\n");
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, OUT_GZ, "one\ntwo\ntwo again\nthree\n");
    fake_end(&f);
}

static void test_after_a_restart_nothing_is_lost_and_nothing_is_sent_twice(void **state)
{
    struct fake f;
    fake_start(&f);
    fake_say(&f, &f.out, T1 "one\n" T2 "two\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, false, OUT_STREAM, "1795295400000 one\n1795295401500 two\n");
    logship_stop(f.ship);
    ship_start(&f);
    fake_say(&f, &f.out, T3 "three\n");
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, false, OUT_STREAM, "1795295400000 one\n1795295401500 two\n1795295402000 three\n");
    expect_text(&f, true, OUT_GZ, "one\ntwo\nthree\n");
    fake_end(&f);
}

static void test_a_batch_whose_answer_was_lost_is_not_sent_twice(void **state)
{
    struct fake f;
    fake_start(&f);
    f.lose_answers = 1;
    fake_say(&f, &f.out, T1 "one\n" T2 "two\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, false, OUT_STREAM, "1795295400000 one\n1795295401500 two\n");
    fake_say(&f, &f.out, T3 "three\n");
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, false, OUT_STREAM, "1795295400000 one\n1795295401500 two\n1795295402000 three\n");
    fake_end(&f);
}

/* The time stamps of the events of a stream. */
static size_t stamps_of(struct fake *f, const char *path, int64_t ret_ms[8])
{
    size_t count = 0;
    pthread_mutex_lock(&f->lock);
    struct slice rest = strbuf_slice(&find(f->streams, f->stream_count, slice_from_cstr(path))->body);
    while (rest.len && count < 8) {
        struct slice line = slice_cut(&rest, '\n');
        assert_true(slice_to_i64(slice_cut(&line, ' '), 0, INT64_MAX, &ret_ms[count++]));
    }
    pthread_mutex_unlock(&f->lock);
    return count;
}

static void test_events_of_times_that_are_refused_get_times_that_are_not(void **state)
{
    struct fake f;
    int64_t ms[8], began_ms = instant_now().ms;
    fake_start(&f);
    f.options.event_past_ms = 1000000;
    f.options.event_future_ms = 2000000;
    fake_say(&f, &f.out, "no time\n1999-01-01T00:00:00Z old\n9999-01-01T00:00:00Z new\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, true, OUT_GZ, "no time\nold\nnew\n");
    fake_say(&f, &f.out, "9999-01-01T00:00:01Z behind it\n");
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    int64_t now_ms = instant_now().ms;
    assert_int_equal(stamps_of(&f, OUT_STREAM, ms), 4);
    assert_true(ms[0] >= began_ms - 1000000 && ms[0] <= now_ms - 1000000);
    assert_int_equal(ms[1], ms[0]);
    assert_true(ms[2] >= began_ms + 2000000 && ms[2] <= now_ms + 2000000);
    assert_true(ms[3] >= ms[2]);
    fake_end(&f);
}

static void test_a_pod_that_is_gone_leaves_what_was_read(void **state)
{
    struct fake f;
    fake_start(&f);
    fake_say(&f, &f.out, T1 "one\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, false, OUT_STREAM, "1795295400000 one\n");
    pthread_mutex_lock(&f.lock);
    f.log_gone = true;
    pthread_mutex_unlock(&f.lock);
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, OUT_GZ, "one\n");
    fake_end(&f);
}

/* Another pod has the name, and this is its log. */
static void replace_pod(struct fake *f, const char *uid, const char *text)
{
    pthread_mutex_lock(&f->lock);
    f->uid = uid;
    f->log_ended = f->hangs = false;
    strbuf_truncate(&f->out, 0);
    strbuf_truncate(&f->err_, 0);
    strbuf_append_cstr(&f->out, text);
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

#define OF_TWO_PODS "1795295401500 one\n1795295402000 tw\n1795295402000 three\n1795295402000 four\n"

static void test_a_pod_with_the_name_of_one_that_was_read_is_read_behind_it(void **state)
{
    struct fake f;
    fake_start(&f);
    fake_say(&f, &f.out, T2 "one\n" T3 "tw");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    end_log(&f);
    expect_text(&f, false, OUT_STREAM, "1795295401500 one\n1795295402000 tw\n");
    replace_pod(&f, "u2", T1 "three\n"); /* of an earlier time, if its node's clock is */
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, false, OUT_STREAM, "1795295401500 one\n1795295402000 tw\n1795295402000 three\n");
    fake_say(&f, &f.out, T1 "four\n");
    end_log(&f);
    tell_of(&f, "u1", LOGSHIP_CONTAINER_ENDED); /* late */
    tell(&f, LOGSHIP_CONTAINER_ENDED);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, OUT_GZ, "one\ntw\nthree\nfour\n");
    expect_text(&f, false, OUT_STREAM, OF_TWO_PODS);
    fake_end(&f);
}

static void test_after_a_restart_a_pods_log_is_known_from_that_of_its_namesake(void **state)
{
    struct fake f;
    fake_start(&f);
    fake_say(&f, &f.out, T2 "one\n" T3 "tw");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, true, OUT_GZ, "one\ntw");
    logship_stop(f.ship);
    replace_pod(&f, "u2", T1 "three\n"); /* while nobody looked */
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, true, OUT_GZ, "one\ntw\nthree\n");
    logship_stop(f.ship);
    fake_say(&f, &f.out, T1 "four\n");
    ship_start(&f); /* it goes on in the second one's */
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, OUT_GZ, "one\ntw\nthree\nfour\n");
    expect_text(&f, false, OUT_STREAM, OF_TWO_PODS);
    fake_end(&f);
}

static void test_what_a_namesakes_log_says_is_not_taken_for_the_pods_own(void **state)
{
    struct fake f;
    fake_start(&f);
    fake_say(&f, &f.out, T2 "one\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, false, OUT_STREAM, "1795295401500 one\n");
    replace_pod(&f, "u2", T3 "two\n");
    tell_of(&f, "u1", LOGSHIP_CONTAINER_ENDED); /* the cluster has another one already */
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    fake_say(&f, &f.out, T3 "three\n");
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, OUT_GZ, "one\ntwo\nthree\n");
    expect_text(&f, false, OUT_STREAM, "1795295401500 one\n1795295402000 two\n1795295402000 three\n");
    fake_end(&f);
}

static void test_logs_are_read_where_pods_may_not_be(void **state)
{
    struct fake f;
    fake_start(&f);
    f.pods_hidden = true;
    fake_say(&f, &f.out, T1 "hello\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, OUT_GZ, "hello\n");
    fake_end(&f);
}

static void test_a_server_that_cannot_split_streams_gives_all_as_stdout(void **state)
{
    for (int old = 0; old < 2; old++) {
        struct fake f;
        fake_start(&f);
        f.no_split = !old;
        f.minor = old ? "30+" : "33";
        fake_say(&f, &f.out, T1 "both\n");
        ship_start(&f);
        tell(&f, LOGSHIP_CONTAINER_STARTED);
        end_log(&f);
        logship_finish(f.ship, S(RUN));
        expect_whole(&f);
        expect_text(&f, true, OUT_GZ, "both\n");
        expect_text(&f, true, ERR_GZ, "");
        fake_end(&f);
    }
}

static void test_a_busy_sink_is_tried_again(void **state)
{
    struct fake f;
    fake_start(&f);
    f.s3_failures = 2;
    fake_say(&f, &f.out, T1 "one\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, OUT_GZ, "one\n");
    fake_end(&f);
}

static void test_control_lines_have_a_place_of_their_own(void **state)
{
    struct fake f;
    fake_start(&f);
    ship_start(&f);
    logship_control_line(f.ship, S(RUN), S("stdout"), S("submitted"));
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, "/logs/a/b/" VC "/jobs/" RUN "/control-logs/" RUN "-submitter/stdout.gz", "submitted\n");
    fake_end(&f);
}

static void test_the_check_writes_metadata_or_says_what_is_denied(void **state)
{
    struct fake f;
    fake_start(&f);
    ship_start(&f);
    struct logship_run run = run_of(&f);
    assert_null(logship_check(f.ship, &run));
    expect_text(
        &f, true, "/logs/a/b/" VC "/jobs/" RUN "/job-metadata.log",
        "{\"region\":\"us-east-1\",\"job_id\":\"" RUN
        "\",\"logging_bucket_name\":\"logs\",\"logging_s3_metadata_path\":\"a/b/" VC "/jobs/" RUN
        "/job-metadata.log\",\"cloudwatch_log_group_name\":\"/group\",\"cloudwatch_log_metadata_stream\":\"pre/" VC
        "/jobs/" RUN "/job-metadata.log\"}");
    f.denied = true;
    struct err *e = logship_check(f.ship, &run);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_DENIED);
    assert_string_equal(e->message, "s3://logs: Access Denied (AccessDenied)");
    err_free(e);
    run.log_uri = S("https://logs");
    e = logship_check(f.ship, &run);
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_INVALID);
    err_free(e);
    fake_end(&f);
}

static void test_a_follow_that_hangs_after_the_containers_end_is_read_anew(void **state)
{
    struct fake f;
    fake_start(&f);
    f.hangs = true;
    f.options.quiet_ms = 200;
    fake_say(&f, &f.out, T1 "hello\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, false, OUT_STREAM, "1795295400000 hello\n");
    pthread_mutex_lock(&f.lock);
    strbuf_append_cstr(&f.out, T2 "last words\n"); /* the connection does not bring them: nobody is woken */
    pthread_mutex_unlock(&f.lock);
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, OUT_GZ, "hello\nlast words\n");
    fake_end(&f);
}

static void test_a_spool_has_limits_and_the_state_says_when_they_were_met(void **state)
{
    for (int all = 0; all < 2; all++) {
        struct fake f;
        struct slice trouble = S("");
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        fake_start(&f);
        if (all)
            f.options.total_max_bytes = 60;
        else
            f.options.run_max_bytes = 60;
        fake_say(&f, &f.out, T1 "hello\n");
        ship_start(&f);
        tell(&f, LOGSHIP_CONTAINER_STARTED);
        expect_text(&f, true, OUT_GZ, "hello\n");
        fake_say(&f, &f.out, T2 "more than there is room for\n");
        end_log(&f);
        logship_finish(f.ship, S(RUN));
        expect_whole(&f);
        expect_text(&f, true, OUT_GZ, "hello\n");
        assert_int_equal(logship_state(f.ship, arena, S(RUN), &trouble), LOGSHIP_WHOLE);
        assert_true(slice_starts_with(trouble, S("the logs of the run were cut")));
        fake_end(&f);
    }
}

static void test_a_run_without_logs_leaves_no_directory(void **state)
{
    struct fake f;
    char path[128];
    fake_start(&f);
    ship_start(&f);
    snprintf(path, sizeof(path), "%s/" RUN, f.dir);
    assert_false(path_exists(path));
    logship_control_line(f.ship, S(RUN), S("stdout"), S("hello"));
    assert_true(path_exists(path));
    logship_close(f.ship, S(RUN));
    assert_false(path_exists(path));
    fake_end(&f);
}

static int puts_of(struct fake *f, const char *path)
{
    pthread_mutex_lock(&f->lock);
    struct stored *s = find(f->objects, f->object_count, slice_from_cstr(path));
    int puts = s ? s->puts : 0;
    pthread_mutex_unlock(&f->lock);
    return puts;
}

static void test_a_rotated_log_is_put_in_pieces_that_are_put_once(void **state)
{
    struct fake f;
    fake_start(&f);
    f.rotation_bytes = 12;
    fake_say(&f, &f.out, T1 "hello\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, true, OUT_GZ, "hello\n");
    fake_say(&f, &f.out, T1 "again\n" T2 "world\n" T3 "much too long for one of them\n" T3 "end\n");
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    const char *const want[] = {"hello\nagain\n", "world\n", "much too lon", "g for one of", " them\nend\n"};
    char path[300];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "/logs/a/b/" KEY "/stdout_20261121_%d.gz", i + 1);
        expect_text(&f, true, path, want[i]);
        assert_int_equal(puts_of(&f, path), 1);
    }
    expect_text(&f, true, OUT_GZ, want[4]);
    expect_text(&f, true, ERR_GZ, "");
    expect_text(&f, false, OUT_STREAM, "1795295400000 hello\n1795295400000 again\n1795295401500 world\n1795295402000 much too long for one of them\n1795295402000 end\n");
    fake_end(&f);
}

static void test_after_a_restart_rotation_goes_on_where_it_was(void **state)
{
    struct fake f;
    fake_start(&f);
    f.rotation_bytes = 12;
    fake_say(&f, &f.out, T1 "hello\n" T1 "again\n" T2 "world\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    expect_text(&f, true, OUT_GZ, "world\n");
    logship_stop(f.ship);
    ship_start(&f);
    fake_say(&f, &f.out, T3 "the third\n");
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, "/logs/a/b/" KEY "/stdout_20261121_1.gz", "hello\nagain\n");
    expect_text(&f, true, "/logs/a/b/" KEY "/stdout_20261121_2.gz", "world\n");
    expect_text(&f, true, OUT_GZ, "the third\n");
    assert_int_equal(puts_of(&f, "/logs/a/b/" KEY "/stdout_20261121_1.gz"), 1);
    fake_end(&f);
}

/* 60 MB through a spool that may have 48: what was shipped is given back to the disk. */
static void test_a_rotated_log_may_be_longer_than_the_spool_may_be(void **state)
{
    struct fake f;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct strbuf chunk = STRBUF_ARENA(arena);
    struct slice trouble = S("");
    fake_start(&f);
    f.rotation_bytes = (int64_t)8 << 20;
    f.s3_only = true;
    f.options.s3_every_ms = 100;
    f.options.run_max_bytes = (int64_t)48 << 20;
    char line[1200], path[300];
    memset(line, 'x', sizeof(line));
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    for (int i = 0; i < 10; i++) {
        strbuf_truncate(&chunk, 0);
        for (int k = 0; k < 6000; k++)
            strbuf_append_fmt(&chunk, "2026-11-21T21:10:%02d.%09dZ %.967s\n", i, k, line);
        fake_say(&f, &f.out, chunk.ptr);
        snprintf(path, sizeof(path), "/logs/a/b/" KEY "/stdout_20261121_%d.gz", i * 58 / 84);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 120;
        pthread_mutex_lock(&f.lock);
        while (i * 58 / 84 && !find(f.objects, f.object_count, slice_from_cstr(path)) && pthread_cond_timedwait(&f.cond, &f.lock, &until) == 0)
            ;
        pthread_mutex_unlock(&f.lock);
    }
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    assert_int_equal(logship_state(f.ship, arena, S(RUN), &trouble), LOGSHIP_WHOLE);
    assert_int_equal(trouble.len, 0);
    size_t total = 0;
    for (size_t i = 0; i < f.object_count; i++) {
        struct slice text;
        if (slice_find(slice_from_cstr(f.objects[i].path), S("/stdout")) < 0)
            continue;
        assert_null(gzip_decode(arena, strbuf_slice(&f.objects[i].body), (size_t)1 << 30, &text));
        assert_true((int64_t)text.len <= f.rotation_bytes);
        total += text.len;
    }
    assert_int_equal(total, 10 * 6000 * 968);
    fake_end(&f);
}

static void test_a_run_is_given_up_when_nothing_goes_on_and_not_before(void **state)
{
    struct fake f;
    struct slice trouble;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    fake_start(&f);
    f.rotation_bytes = 12;
    f.options.give_up_ms = 4000;
    f.slow_ms = 700; /* seven objects: five seconds, and each of them may take as long again on a busy machine */
    f.bucket = true;
    fake_say(&f, &f.out, T1 "hello 1 abcd\n" T1 "hello 2 abcd\n" T1 "hello 3 abcd\n" T1 "hello 4 abcd\n" T1 "hello 5 abcd\n" T1 "hello 6 abcd\n");
    ship_start(&f);
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    logship_close(f.ship, S(RUN));
    f.slow_ms = 0;
    f.s3_failures = 1 << 30;
    struct logship_run run = run_of(&f);
    assert_null(logship_open(f.ship, &run));
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    tell(&f, LOGSHIP_CONTAINER_ENDED);
    logship_finish(f.ship, S(RUN));
    int64_t until_ms = monotonic_ms() + 120000;
    pthread_mutex_lock(&f.lock);
    while (logship_state(f.ship, arena, S(RUN), &trouble) != LOGSHIP_GIVEN_UP && monotonic_ms() < until_ms) {
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_sec++;
        pthread_cond_timedwait(&f.cond, &f.lock, &at); /* each failure wakes it */
    }
    pthread_mutex_unlock(&f.lock);
    assert_int_equal(logship_state(f.ship, arena, S(RUN), &trouble), LOGSHIP_GIVEN_UP);
    assert_true(slice_find(trouble, S("SlowDown")) >= 0);
    /* Its pods may go: what was read is safe in the spool. */
    syncs = 0;
    failing_syncs = 1;
    while (!logship_is_read(f.ship, S(RUN)) && monotonic_ms() < until_ms)
        sched_yield();
    assert_true(logship_is_read(f.ship, S(RUN)));
    assert_int_equal(syncs, 2); /* the first one failed */
    fake_end(&f);
}

static void test_logs_that_are_disabled_leave_nothing(void **state)
{
    struct fake f;
    fake_start(&f);
    f.disabled = true;
    fake_say(&f, &f.out, T1 "hello\n");
    ship_start(&f);
    logship_container(f.ship, S(RUN), S("pi-1-exec-1"), S("u9"), S("spark-kubernetes-executor"), LOGSHIP_CONTAINER_STARTED);
    logship_control_line(f.ship, S(RUN), S("stdout"), S("submitted"));
    tell(&f, LOGSHIP_CONTAINER_STARTED);
    end_log(&f);
    logship_finish(f.ship, S(RUN));
    expect_whole(&f);
    expect_text(&f, true, OUT_GZ, "hello\n");
    for (size_t i = 0; i < f.object_count; i++)
        assert_true(slice_find(slice_from_cstr(f.objects[i].path), S(DRIVER)) >= 0);
    assert_int_equal(f.object_count, 2);
    fake_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_drivers_log_is_in_both_sinks_while_it_runs_and_whole_at_its_end),
        cmocka_unit_test(test_a_log_whose_connection_breaks_inside_a_line_is_neither_cut_nor_doubled),
        cmocka_unit_test(test_after_a_restart_nothing_is_lost_and_nothing_is_sent_twice),
        cmocka_unit_test(test_a_batch_whose_answer_was_lost_is_not_sent_twice),
        cmocka_unit_test(test_events_of_times_that_are_refused_get_times_that_are_not),
        cmocka_unit_test(test_a_pod_that_is_gone_leaves_what_was_read),
        cmocka_unit_test(test_a_pod_with_the_name_of_one_that_was_read_is_read_behind_it),
        cmocka_unit_test(test_after_a_restart_a_pods_log_is_known_from_that_of_its_namesake),
        cmocka_unit_test(test_what_a_namesakes_log_says_is_not_taken_for_the_pods_own),
        cmocka_unit_test(test_logs_are_read_where_pods_may_not_be),
        cmocka_unit_test(test_a_server_that_cannot_split_streams_gives_all_as_stdout),
        cmocka_unit_test(test_a_busy_sink_is_tried_again),
        cmocka_unit_test(test_a_follow_that_hangs_after_the_containers_end_is_read_anew),
        cmocka_unit_test(test_a_spool_has_limits_and_the_state_says_when_they_were_met),
        cmocka_unit_test(test_a_rotated_log_is_put_in_pieces_that_are_put_once),
        cmocka_unit_test(test_after_a_restart_rotation_goes_on_where_it_was),
        cmocka_unit_test(test_a_rotated_log_may_be_longer_than_the_spool_may_be),
        cmocka_unit_test(test_a_run_is_given_up_when_nothing_goes_on_and_not_before),
        cmocka_unit_test(test_logs_that_are_disabled_leave_nothing),
        cmocka_unit_test(test_a_run_without_logs_leaves_no_directory),
        cmocka_unit_test(test_control_lines_have_a_place_of_their_own),
        cmocka_unit_test(test_the_check_writes_metadata_or_says_what_is_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
