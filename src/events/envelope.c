#include "events/envelope.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"

#define SEQUENCE_DIGITS 16
#define CHECK_BYTES 4
#define CURSOR_LENGTH (SEQUENCE_DIGITS + 2 * CHECK_BYTES)

static void set_if_there(struct arena *arena, struct json *object, const char *key, struct slice text)
{
    if (text.len)
        json_set_text(arena, object, key, text);
}

static void mac(const struct event_source *source, char what, int64_t sequence, uint8_t out[SHA256_BYTES])
{
    uint8_t text[9] = {(uint8_t)what};
    for (int i = 0; i < 8; i++)
        text[1 + i] = (uint8_t)((uint64_t)sequence >> (56 - 8 * i));
    hmac_sha256(source->key, slice_of((const char *)text, sizeof(text)), out);
}

struct slice event_id(struct arena *arena, const struct event_source *source, int64_t sequence)
{
    uint8_t bytes[SHA256_BYTES];
    char hex[32];
    mac(source, 'e', sequence, bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x80); /* version 8: made as its maker likes, RFC 9562 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    hex_encode_to(hex, bytes, 16);
    return slice_fmt(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

struct slice event_cursor(struct arena *arena, const struct event_source *source, int64_t sequence)
{
    uint8_t bytes[SHA256_BYTES];
    char check[2 * CHECK_BYTES];
    mac(source, 'c', sequence, bytes);
    hex_encode_to(check, bytes, CHECK_BYTES);
    return slice_fmt(arena, "%016llx%.8s", (unsigned long long)sequence, check);
}

bool event_cursor_parse(const struct event_source *source, struct slice cursor, int64_t *ret_sequence)
{
    uint64_t value = 0;
    uint8_t bytes[SHA256_BYTES];
    char check[2 * CHECK_BYTES];
    if (cursor.len != CURSOR_LENGTH)
        return false;
    for (size_t i = 0; i < SEQUENCE_DIGITS; i++) {
        ptrdiff_t digit = slice_index(S("0123456789abcdef"), cursor.ptr[i]);
        if (digit < 0 || value >> 59) /* more than an int64_t holds */
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    mac(source, 'c', (int64_t)value, bytes);
    hex_encode_to(check, bytes, CHECK_BYTES);
    if (!secret_equal(slice_of(check, sizeof(check)), slice_from(cursor, SEQUENCE_DIGITS)))
        return false;
    *ret_sequence = (int64_t)value;
    return true;
}

static struct slice run_arn(struct arena *arena, const struct event_source *source, const struct event_row *row)
{
    return slice_fmt(arena, "arn:aws:emr-containers:%.*s:%.*s:/virtualclusters/%.*s/jobruns/%.*s", SLICE_ARG(source->region),
                     SLICE_ARG(source->account_id), SLICE_ARG(row->virtual_cluster_id), SLICE_ARG(row->job_run_id));
}

static struct json *detail_of(struct arena *arena, const struct event_source *source, const struct event_row *row)
{
    struct json *detail = json_object(arena);
    bool failed = slice_eq(row->to, S("FAILED"));
    json_set_cstr(arena, detail, "severity", failed ? "ERROR" : "INFO");
    set_if_there(arena, detail, "name", row->name);
    json_set_text(arena, detail, "id", row->job_run_id);
    json_set_text(arena, detail, "arn", run_arn(arena, source, row));
    json_set_text(arena, detail, "virtualClusterId", row->virtual_cluster_id);
    json_set_text(arena, detail, "state", row->to);
    json_set_text(arena, detail, "createdBy", row->created_by);
    set_if_there(arena, detail, "releaseLabel", row->release_label);
    set_if_there(arena, detail, "executionRoleArn", row->execution_role_arn);
    if (failed) /* a run that FAILED never changes its reason */
        set_if_there(arena, detail, "failureReason", row->failure_reason);
    set_if_there(arena, detail, "stateDetails", row->details);
    return detail;
}

static void add_attempt(struct arena *arena, struct json *detail, const struct event_row *row)
{
    JSON_SET(arena, detail, "newDriverPodName",
             json_fmt(arena, "spark-%.*s-driver-%lld", SLICE_ARG(row->job_run_id), (long long)row->attempt));
    json_set_text(arena, detail, "newDriverCreatedAt", instant_iso8601(arena, row->at));
    set_if_there(arena, detail, "previousDriverFailureMessage", row->previous_failure);
    json_set_i64(arena, detail, "currentAttemptCount", row->attempt);
    JSON_SET(arena, detail, "message", json_fmt(arena, "Job run %.*s has a new driver for attempt %lld.", SLICE_ARG(row->job_run_id), (long long)row->attempt));
}

struct json *event_envelope(struct arena *arena, const struct event_source *source, const struct event_row *row)
{
    struct json *detail = detail_of(arena, source, row), *envelope = json_object(arena);
    if (row->moved)
        JSON_SET(arena, detail, "message", json_fmt(arena, "Job run %.*s is now %.*s.", SLICE_ARG(row->job_run_id), SLICE_ARG(row->to)));
    else
        add_attempt(arena, detail, row);
    json_set_cstr(arena, envelope, "version", "0");
    json_set_text(arena, envelope, "id", event_id(arena, source, row->sequence));
    json_set_cstr(arena, envelope, "detail-type", row->moved ? "EMR Job Run State Change" : "EMR Job Run New Driver Attempt");
    json_set_cstr(arena, envelope, "source", "aws.emr-containers");
    json_set_text(arena, envelope, "account", source->account_id);
    json_set_text(arena, envelope, "time", instant_iso8601(arena, row->at));
    json_set_text(arena, envelope, "region", source->region);
    JSON_SET(arena, envelope, "resources", json_array(arena));
    JSON_SET(arena, envelope, "detail", detail);
    return envelope;
}
