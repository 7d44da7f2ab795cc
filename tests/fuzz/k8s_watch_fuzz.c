/* k8s_watch_fuzz: the bytes of a watch's answer. First byte: how they are cut into pieces. The events told are the same in pieces and
 * whole; an object is only told once as gone; and what is written as frames here is told in order. */
#include "k8s/watch.c"

#include "fuzz.h"

struct told {
    struct strbuf text;
    size_t events;
};

static void tell(void *ctx, enum k8s_watch_event event, const struct json *object, const struct err *e)
{
    struct told *told = ctx;
    ENSURE(event == K8S_PRESENT || event == K8S_GONE);
    ENSURE(json_is(object, JSON_OBJECT) && !e);
    strbuf_append_fmt(&told->text, "%d ", (int)event);
    json_write(&told->text, object);
    strbuf_append_char(&told->text, '\n');
    told->events++;
}

/* What was told, then how it ended. seed 0: whole. */
static struct slice follow(struct arena *arena, struct slice wire, uint32_t seed, size_t *ret_events)
{
    struct told told = {.text = STRBUF_ARENA(arena)};
    struct k8s_watch *watch = xcalloc(1, sizeof(*watch));
    watch->fn = tell;
    watch->ctx = &told;
    watch->arena = arena_new();
    struct err *e = NULL;
    while (wire.len && !e) {
        struct slice piece = slice_sub(wire, 0, seed ? piece_size(&seed, 1 + seed % 173) : wire.len);
        wire = slice_from(wire, piece.len);
        e = watch_sink(watch, piece);
    }
    strbuf_append_fmt(&told.text, "%s %d %s %d", e ? e->message : "", watch->relist, watch->version ? watch->version : "-", watch->heard);
    err_free(e);
    for (size_t i = 0; i < BUCKETS; i++)
        while (watch->buckets[i])
            known_drop(&watch->buckets[i]);
    strbuf_deinit(&watch->frame);
    arena_free(watch->arena);
    free(watch->version);
    free(watch);
    *ret_events = told.events;
    return strbuf_slice(&told.text);
}

/* Each line as the name of an object. */
static void told_in_order(struct arena *arena, struct slice names, uint32_t seed)
{
    struct strbuf wire = STRBUF_ARENA(arena);
    size_t count = 0, events;
    while (names.len && count < 50) {
        struct json *event = json_object(arena), *object = json_object(arena);
        json_set_cstr(arena, event, "type", count % 3 == 2 ? "DELETED" : "ADDED");
        json_set_text(arena, json_ensure_object(arena, object, "metadata"), "name", input_line(&names));
        JSON_SET(arena, event, "object", object);
        json_write(&wire, event);
        strbuf_append_char(&wire, '\n');
        count++;
    }
    (void)follow(arena, strbuf_slice(&wire), seed, &events);
    ENSURE(events == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size);
    uint32_t seed = 1u + input_byte(&input);
    size_t events, events_in_pieces;
    struct slice whole = follow(arena, input, 0, &events), pieces = follow(arena, input, seed, &events_in_pieces);
    ENSURE(events == events_in_pieces && slice_eq(whole, pieces));
    told_in_order(arena, input, seed);
    arena_free(arena);
    return 0;
}
