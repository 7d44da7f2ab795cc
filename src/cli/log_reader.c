/* log_reader: see the header. */
#include "cli/log_reader.h"
#include "base/encode.h"
#include "base/gzip.h"
#include <stdlib.h>

#define LOG_MAX_BYTES ((size_t)4 << 30)

struct log_cursor {
    struct log_place place;
    struct slice name;   /* stream or key, whole; of a rotated log the current object's */
    int64_t rotated;     /* S3: so many of its objects were read to their ends */
    struct strbuf token; /* CloudWatch: of the next page; S3: the ETag that was read */
    size_t offset;       /* S3: bytes of the log that were read */
    struct strbuf line;  /* S3: a line that has no end yet */
    struct log_cursor *next;
};

struct log_object {
    struct slice key;
    struct log_object *next;
};

struct log_reader {
    struct client *client;
    struct progress *progress;
    struct log_choice choice;
    struct arena *arena; /* as long as the reader */
    struct arena *poll;  /* as long as one poll of one log */
    struct arena *list;  /* as long as one poll */
    struct slice run_id;
    bool from_s3;
    struct slice place; /* log group or bucket */
    struct slice base;  /* what all names begin with, up to and with "containers/spark-RUN/" */
    struct log_cursor *cursors;
    struct log_object *rotated; /* S3: keys of objects that are full; as long as one poll's list */
    struct screen screen;
    bool printed;
};

/* ---- names ---- */

bool log_place_parse(struct slice name, struct slice job_run_id, struct log_place *ret_place)
{
    struct slice pod, stream, gz = S(".gz"), exec = S("-exec-"), driver = S("-driver"), spark = S("spark-");
    if (!slice_split(name, '/', &pod, &stream))
        return false;
    bool zipped = slice_ends_with(stream, gz);
    if (zipped)
        stream.len -= gz.len;
    struct log_place place = {0};
    struct slice date, index, whole = stream;
    if (zipped && slice_split(whole, '_', &stream, &date) && (!slice_split(date, '_', &date, &index) || date.len != 8 || !slice_to_i64(index, 1, INT64_MAX, &place.rotated)))
        return false;
    place.err = slice_eq(stream, S("stderr"));
    if (!place.err && !slice_eq(stream, S("stdout")))
        return false;
    struct slice rest = slice_from(pod, spark.len);
    if (slice_starts_with(pod, spark) && slice_starts_with(rest, job_run_id) &&
        slice_starts_with(slice_from(rest, job_run_id.len), driver)) {
        place.driver = true;
        place.pod = slice_from(rest, job_run_id.len + 1);
        *ret_place = place;
        return true;
    }
    ptrdiff_t dash = slice_rindex(pod, '-');
    if (dash < 0 || !slice_ends_with(slice_sub(pod, 0, (size_t)dash + 1), exec) ||
        !slice_to_i64(slice_from(pod, (size_t)dash + 1), 1, INT64_MAX, &place.executor))
        return false;
    place.pod = slice_from(pod, (size_t)dash + 2 - exec.len);
    *ret_place = place;
    return true;
}

static bool is_chosen(const struct log_choice *choice, const struct log_place *place)
{
    if (place->err ? !choice->err : !choice->out)
        return false;
    return place->driver ? choice->driver
                         : choice->executors && (!choice->executor || choice->executor == place->executor);
}

/* Drivers' before executors', else in the order in which they were found. */
static void add_cursor(struct log_reader *reader, struct slice name)
{
    struct log_place place;
    if (!log_place_parse(slice_from(name, reader->base.len), reader->run_id, &place) ||
        !is_chosen(&reader->choice, &place))
        return;
    if (place.rotated) {
        struct log_object *object = ARENA_NEW(reader->list, struct log_object);
        *object = (struct log_object){.key = slice_dup(reader->list, name), .next = reader->rotated};
        reader->rotated = object;
        return;
    }
    struct log_cursor **link = &reader->cursors;
    for (struct log_cursor *c = reader->cursors; c; c = c->next)
        if (slice_eq(c->name, name))
            return;
    while (*link && ((*link)->place.driver || !place.driver))
        link = &(*link)->next;
    struct log_cursor *cursor = ARENA_NEW(reader->arena, struct log_cursor);
    *cursor = (struct log_cursor){.place = place,
                                  .name = slice_dup(reader->arena, name),
                                  .token = STRBUF_HEAP,
                                  .line = STRBUF_HEAP,
                                  .next = *link};
    cursor->place.pod = slice_dup(reader->arena, place.pod);
    *link = cursor;
}

/* ---- printing ---- */

/* line with its end, but for the last of a log. */
static struct err *print_line(struct log_reader *reader, const struct log_cursor *cursor, struct slice line)
{
    struct strbuf out = STRBUF_ARENA(reader->poll);
    progress_hide(reader->progress);
    reader->printed = true;
    if (!reader->choice.labels && !reader->screen.terminal)
        return output_write(line);
    if (reader->choice.labels) {
        struct slice label =
            slice_fmt(reader->poll, "%.*s %s |", SLICE_ARG(cursor->place.pod), cursor->place.err ? "stderr" : "stdout");
        append_coloured(&out, reader->screen, cursor->place.err ? COLOUR_YELLOW : COLOUR_CYAN, label);
        strbuf_append_char(&out, ' ');
    }
    strbuf_append(&out, reader->screen.terminal ? text_shown_log(reader->poll, line) : line);
    return output_write(strbuf_slice(&out));
}

/* ---- CloudWatch Logs ---- */

/* A group or stream that is not there yet has nothing in it yet. */
static struct err *logs_or_nothing(struct log_reader *reader, const char *operation, const struct json *input,
                                   struct json **ret_output)
{
    struct err *e = client_logs(reader->client, reader->poll, operation, input, ret_output);
    if (!e || e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    *ret_output = json_object(reader->poll);
    return NULL;
}

static struct err *find_streams(struct log_reader *reader)
{
    struct slice token = SLICE_NONE;
    do {
        struct json *input = json_object(reader->poll), *output;
        json_set_text(reader->poll, input, "logGroupName", reader->place);
        json_set_text(reader->poll, input, "logStreamNamePrefix", reader->base);
        if (token.ptr)
            json_set_text(reader->poll, input, "nextToken", token);
        TRY(logs_or_nothing(reader, "DescribeLogStreams", input, &output));
        JSON_FOREACH(stream, json_get(output, S("logStreams")))
            add_cursor(reader, json_get_text(stream, "logStreamName"));
        token = json_get_text(output, "nextToken");
    } while (token.len);
    return NULL;
}

static struct err *read_stream(struct log_reader *reader, struct log_cursor *cursor)
{
    for (;;) {
        arena_reset(reader->poll); /* a page at a time */
        struct json *input = json_object(reader->poll), *output;
        json_set_text(reader->poll, input, "logGroupName", reader->place);
        json_set_text(reader->poll, input, "logStreamName", cursor->name);
        json_set_bool(reader->poll, input, "startFromHead", true);
        if (cursor->token.len)
            json_set_text(reader->poll, input, "nextToken", slice_dup(reader->poll, strbuf_slice(&cursor->token)));
        TRY(logs_or_nothing(reader, "GetLogEvents", input, &output));
        JSON_FOREACH(event, json_get(output, S("events")))
            TRY(print_line(reader, cursor,
                           slice_fmt(reader->poll, "%.*s\n", SLICE_ARG(json_get_text(event, "message")))));
        struct slice token = json_get_text(output, "nextForwardToken");
        if (!token.len || slice_eq(token, strbuf_slice(&cursor->token)))
            return NULL;
        strbuf_truncate(&cursor->token, 0);
        strbuf_append(&cursor->token, token);
    }
}

/* ---- S3 ---- */

static struct slice element(struct slice *rest, struct slice open, struct slice close)
{
    ptrdiff_t from = slice_find(*rest, open);
    if (from < 0)
        return SLICE_NONE;
    struct slice text = slice_from(*rest, (size_t)from + open.len);
    ptrdiff_t to = slice_find(text, close);
    if (to < 0)
        return SLICE_NONE;
    *rest = slice_from(text, (size_t)to + close.len);
    return slice_sub(text, 0, (size_t)to);
}

static struct err *find_objects(struct log_reader *reader)
{
    struct slice token = SLICE_NONE;
    do {
        struct strbuf query = STRBUF_ARENA(reader->poll);
        if (token.ptr)
            strbuf_append_fmt(&query, "continuation-token=%.*s&",
                              SLICE_ARG(uri_encode(reader->poll, token, URI_ENCODE_SLASH)));
        strbuf_append_fmt(&query, "encoding-type=url&list-type=2&prefix=%.*s",
                          SLICE_ARG(uri_encode(reader->poll, reader->base, URI_ENCODE_SLASH)));
        struct http_response response;
        struct err *e = client_s3(
            reader->client, reader->poll,
            &(struct s3_call){.method = S("GET"), .bucket = reader->place, .query = strbuf_slice(&query)}, &response);
        if (e && e->kind == ERR_NOT_FOUND) { /* no bucket yet */
            err_free(e);
            return NULL;
        }
        TRY(e);
        struct slice rest = response.body;
        for (struct slice key = element(&rest, S("<Key>"), S("</Key>")); key.ptr;
             key = element(&rest, S("<Key>"), S("</Key>")))
            add_cursor(reader, uri_decode(reader->poll, key, URI_PLUS_IS_SPACE));
        rest = response.body;
        token = element(&rest, S("<NextContinuationToken>"), S("</NextContinuationToken>"));
    } while (token.len);
    return NULL;
}

static struct err *print_lines(struct log_reader *reader, struct log_cursor *cursor, struct slice text)
{
    while (text.len) {
        ptrdiff_t end = slice_index(text, '\n');
        struct slice piece = end < 0 ? text : slice_sub(text, 0, (size_t)end + 1);
        strbuf_append(&cursor->line, piece);
        text = slice_from(text, piece.len);
        if (end < 0)
            return NULL;
        struct err *e = print_line(reader, cursor, strbuf_slice(&cursor->line));
        strbuf_truncate(&cursor->line, 0);
        TRY(e);
    }
    return NULL;
}

static struct err *print_object(struct log_reader *reader, struct log_cursor *cursor, struct slice key, struct slice body)
{
    struct slice text;
    struct err *e = gzip_decode(reader->poll, body, LOG_MAX_BYTES, &text);
    if (e)
        return err_wrap(e, "s3://%.*s/%.*s", SLICE_ARG(reader->place), SLICE_ARG(key));
    TRY(print_lines(reader, cursor, slice_from(text, cursor->offset)));
    cursor->offset = text.len > cursor->offset ? text.len : cursor->offset;
    return NULL;
}

/* The objects of a rotated log up to that index: what was the current one is now one of them. */
static struct err *read_rotated(struct log_reader *reader, struct log_cursor *cursor, int64_t upto)
{
    while (cursor->rotated < upto) {
        struct slice stem = slice_sub(cursor->name, 0, cursor->name.len - sizeof(".gz") + 1), key = SLICE_NONE;
        struct slice wanted = slice_fmt(reader->poll, "_%lld.gz", (long long)cursor->rotated + 1);
        for (struct log_object *o = reader->rotated; o && !key.ptr; o = o->next)
            if (slice_starts_with(o->key, stem) && slice_ends_with(o->key, wanted))
                key = o->key;
        if (!key.ptr) /* put after the list was made: at the next poll */
            return NULL;
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        struct http_response response;
        TRY(client_s3(reader->client, arena, &(struct s3_call){.method = S("GET"), .bucket = reader->place, .key = key}, &response));
        TRY(print_object(reader, cursor, key, response.body));
        cursor->rotated++;
        cursor->offset = 0;
    }
    return NULL;
}

static struct err *read_object(struct log_reader *reader, struct log_cursor *cursor)
{
    struct http_response response;
    struct slice etag = slice_dup(reader->poll, strbuf_slice(&cursor->token));
    int64_t rotated = 0;
    struct err *e = client_s3(
        reader->client, reader->poll,
        &(struct s3_call){.method = S("GET"), .bucket = reader->place, .key = cursor->name, .etag = etag}, &response);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    if (response.status == 304)
        return NULL;
    struct slice before = http_header_get(response.headers, S("x-amz-meta-rotated"));
    if (before.len && !slice_to_i64(before, 0, INT64_MAX, &rotated))
        rotated = 0;
    TRY(read_rotated(reader, cursor, rotated));
    if (cursor->rotated != rotated)
        return NULL;
    TRY(print_object(reader, cursor, cursor->name, response.body));
    strbuf_truncate(&cursor->token, 0);
    strbuf_append(&cursor->token, http_header_get(response.headers, S("ETag")));
    return NULL;
}

/* ---- the reader ---- */

/* s3://bucket/prefix/ -> bucket and "prefix/" */
static void take_log_uri(struct log_reader *reader, struct slice uri)
{
    struct slice rest = slice_from(uri, sizeof("s3://") - 1), prefix = S("");
    reader->place = rest;
    if (slice_split(rest, '/', &reader->place, &prefix))
        while (prefix.len && prefix.ptr[prefix.len - 1] == '/')
            prefix.len--;
    reader->place = slice_dup(reader->arena, reader->place);
    reader->base = slice_fmt(reader->arena, "%.*s%s", SLICE_ARG(prefix), prefix.len ? "/" : "");
}

struct err *log_reader_open(struct client *client, const struct json *run, const struct log_choice *choice,
                            struct progress *progress, struct log_reader **ret_reader)
{
    const struct json *monitoring = JSON_AT(run, "configurationOverrides", "monitoringConfiguration");
    const struct json *cloudwatch = json_get(monitoring, S("cloudWatchMonitoringConfiguration"));
    struct slice group = json_get_text(cloudwatch, "logGroupName"),
                 uri = json_get_text(json_get(monitoring, S("s3MonitoringConfiguration")), "logUri");
    struct slice id = json_get_text(run, "id"), cluster = json_get_text(run, "virtualClusterId");
    if (!group.len && !slice_starts_with(uri, S("s3://")))
        return err_new(ERR_NOT_FOUND,
                       "the logs of job run %.*s are kept nowhere: its monitoringConfiguration names neither a log "
                       "group nor an S3 address; start it with one, or "
                       "read them while it runs with kubectl logs spark-%.*s-driver in its virtual cluster's namespace",
                       SLICE_ARG(id), SLICE_ARG(id));
    struct log_reader *reader = xcalloc(1, sizeof(*reader));
    *reader = (struct log_reader){.client = client,
                                  .progress = progress,
                                  .choice = *choice,
                                  .arena = arena_new(),
                                  .poll = arena_new(),
                                  .list = arena_new(),
                                  .from_s3 = !group.len,
                                  .screen = screen_of(1)};
    reader->run_id = slice_dup(reader->arena, id);
    if (group.len) {
        struct slice prefix = json_get_text(cloudwatch, "logStreamNamePrefix");
        reader->place = slice_dup(reader->arena, group);
        reader->base = slice_fmt(reader->arena, "%.*s%s", SLICE_ARG(prefix), prefix.len ? "/" : "");
    } else {
        take_log_uri(reader, uri);
    }
    reader->base = slice_fmt(reader->arena, "%.*s%.*s/jobs/%.*s/containers/spark-%.*s/", SLICE_ARG(reader->base),
                             SLICE_ARG(cluster), SLICE_ARG(id), SLICE_ARG(id));
    *ret_reader = reader;
    return NULL;
}

struct err *log_reader_poll(struct log_reader *reader)
{
    arena_reset(reader->poll);
    arena_reset(reader->list);
    reader->rotated = NULL;
    TRY(reader->from_s3 ? find_objects(reader) : find_streams(reader));
    for (struct log_cursor *cursor = reader->cursors; cursor; cursor = cursor->next) {
        arena_reset(reader->poll);
        TRY(reader->from_s3 ? read_object(reader, cursor) : read_stream(reader, cursor));
        TRY(output_flush());
    }
    return NULL;
}

struct err *log_reader_end(struct log_reader *reader)
{
    for (struct log_cursor *cursor = reader->cursors; cursor; cursor = cursor->next) {
        if (!cursor->line.len)
            continue;
        TRY(print_line(reader, cursor, strbuf_slice(&cursor->line)));
        if (reader->choice.labels)
            TRY(output_write(S("\n")));
        strbuf_truncate(&cursor->line, 0);
    }
    return output_flush();
}

bool log_reader_printed(const struct log_reader *reader)
{
    return reader->printed;
}

void log_reader_free(struct log_reader *reader)
{
    if (!reader)
        return;
    for (struct log_cursor *cursor = reader->cursors; cursor; cursor = cursor->next) {
        strbuf_deinit(&cursor->token);
        strbuf_deinit(&cursor->line);
    }
    arena_free(reader->arena);
    arena_free(reader->poll);
    arena_free(reader->list);
    free(reader);
}
