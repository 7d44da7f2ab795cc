#include "jobs/job_run.h"
#include "base/arena.h"
#include "base/digest.h"

#define JOB_RUN_ID_LENGTH 19

struct slice job_run_id_new(struct arena *arena, struct instant now)
{
    static const char DIGITS[] = "0123456789abcdefghijklmnopqrstuv";
    uint16_t r;
    random_bytes(&r, sizeof(r));
    uint64_t value = (uint64_t)now.ms << 16 | (r & 0x7fff);
    char *id = arena_alloc(arena, JOB_RUN_ID_LENGTH + 1);
    for (int i = JOB_RUN_ID_LENGTH - 1; i >= 0; i--) {
        id[i] = DIGITS[value & 31];
        value >>= 5;
    }
    return slice_of(id, JOB_RUN_ID_LENGTH);
}

bool job_run_id_is_well_formed(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return id.len >= 1 && id.len <= 64;
}

struct slice virtual_cluster_id_new(struct arena *arena)
{
    return random_text(arena, 25, S("0123456789abcdefghijklmnopqrstuvwxyz"));
}

bool job_run_parse_rotation_size(struct slice text, int64_t *ret_bytes)
{
    static const int64_t least = (int64_t)2 << 10, most = (int64_t)2 << 30;
    int64_t value;
    if (text.len && (text.ptr[text.len - 1] | 0x20) == 'b')
        text.len--;
    if (text.len < 2)
        return false;
    char unit = text.ptr[text.len - 1];
    int shift = unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
    if (!shift || !slice_to_i64(slice_sub(text, 0, text.len - 1), 0, most >> shift, &value) || value << shift < least)
        return false;
    *ret_bytes = value << shift;
    return true;
}

struct err *job_run_cancel(struct store *store, struct slice id, struct slice who, struct instant now)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    for (;;) { /* again when the reconciler moved it meanwhile */
        struct job_run run;
        enum job_run_state from, to;
        TRY(store_job_run_get(store, arena, id, &run));
        if (!job_run_state_parse(run.state, &from))
            return err_new(ERR_INTERNAL, "job run %.*s has the unknown state %.*s", SLICE_ARG(id), SLICE_ARG(run.state));
        if (!job_run_state_next(from, JOB_RUN_EVENT_CANCEL_ASKED, &to))
            return err_new(ERR_CONFLICT, "Job run %.*s is not in a cancellable state", SLICE_ARG(id));
        bool changed;
        TRY(store_job_run_change(store,
                                 &(struct job_run_change){
                                     .id = id,
                                     .from = run.state,
                                     .to = job_run_state_name(to),
                                     .event = job_run_event_name(JOB_RUN_EVENT_CANCEL_ASKED),
                                     .state_details = slice_fmt(arena, "%.*s%.*s.", SLICE_ARG(JOB_RUN_CANCEL_WORDS), SLICE_ARG(slice_sub(who, 0, 200))),
                                     .at = now,
                                 },
                                 &changed));
        if (changed)
            return NULL;
    }
}
