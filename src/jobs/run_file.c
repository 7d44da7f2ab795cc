#include "jobs/run_file.h"
#include "base/arena.h"

static const char REASON_USER[] = "USER_ERROR"; /* static for err->code */

static struct err *as_users(struct err *e)
{
    if (!e || e->kind == ERR_UNAVAILABLE || e->kind == ERR_INTERNAL)
        return e;
    struct err *mine = err_code(ERR_INVALID, REASON_USER, "%s", e->message);
    err_free(e);
    return mine;
}

struct err *run_file_read(void *reader, struct arena *arena, struct slice uri, struct slice *ret_text)
{
    const struct run_file_reader *r = reader;
    struct slice rest, bucket, key, text;
    struct logship_run logs;
    ptrdiff_t scheme = slice_find(uri, S("://"));
    rest = scheme < 0 ? S("") : slice_from(uri, (size_t)scheme + 3);
    if (!slice_split(rest, '/', &bucket, &key) || !bucket.len || !key.len)
        return err_code(ERR_INVALID, REASON_USER, "it does not name an object: s3://BUCKET/KEY is needed");
    TRY(launch_describe_logs(r->context, arena, r->run, &logs));
    TRY(as_users(logship_read_object(r->context->logship, &logs, arena, bucket, key, RUN_FILE_MAX_BYTES, &text)));
    if (!slice_is_utf8(text) || slice_has_nul(text))
        return err_code(ERR_INVALID, REASON_USER, "it is no UTF-8 text");
    *ret_text = text;
    return NULL;
}
