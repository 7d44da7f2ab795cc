/* kube_request_fuzz: line one a path, line two a query, line three an Accept header, line four a text of its own: what the API server
 * makes of paths, list options, media types, quantities and names. A quantity's canonical text is the same amount and its own canonical text. */
#include "cluster/apiserver/list_options.h"
#include "cluster/apiserver/names.h"
#include "cluster/apiserver/negotiate.h"
#include "cluster/apiserver/quantity.h"
#include "cluster/apiserver/table.h"
#include "fuzz.h"

static void check_request(struct arena *arena, struct slice path, struct slice query)
{
    struct http_request http = {.method = S("GET"), .path = path, .query = query, .arena = arena};
    struct api_call call = {.http = &http, .arena = arena, .warnings = {.arena = arena}};
    call_parse(&call);
    ENSURE(!call.is_resource || call.verb);
    ENSURE(!call.sub || call.kind);
    bool dry_run;
    err_free(call_dry_run(&call, "CreateOptions", &dry_run));
    for (int purpose = FOR_LIST; call.kind && call.kind->stored_as && purpose <= FOR_WATCH; purpose++) {
        struct list_options options;
        struct err *e = list_options_parse(&call, arena, (enum list_purpose)purpose, &options);
        if (!e)
            ENSURE(options.limit >= 0 && options.version >= 0 && options.timeout_s >= 0);
        err_free(e);
    }
}

static void check_quantity(struct arena *arena, struct slice text)
{
    struct quantity q, again;
    if (!quantity_parse(text, &q))
        return;
    struct slice canonical = quantity_to_text(arena, q);
    ENSURE(quantity_parse(canonical, &again) && quantity_cmp(q, again) == 0);
    ENSURE(slice_eq(quantity_to_text(arena, again), canonical));
    struct quantity sum = quantity_add(q, again);
    (void)quantity_sub(sum, q);
    (void)quantity_to_milli(q);
    ENSURE(q.nano < 0 || quantity_to_i64(q) >= 0);
}

static void check_names(struct arena *arena, struct slice name)
{
    const char *subdomain = name_check_dns_subdomain(arena, name), *label = name_check_dns_label(arena, name),
               *label_1035 = name_check_dns_1035(arena, name), *segment = name_check_path_segment(arena, name);
    ENSURE(label || !subdomain); /* a label is a subdomain, and that is a segment of a path */
    ENSURE(label_1035 || !label);
    ENSURE(subdomain || !segment);
    ENSURE(segment || slice_index(name, '/') < 0);
    (void)name_check_qualified(arena, name);
    (void)name_check_label_key(arena, name);
    (void)name_check_label_value(arena, name);
    (void)name_check_config_key(arena, name);
    (void)name_check_env(arena, name);
    (void)name_check_port_name(arena, name);
    (void)name_is_ip(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size);
    struct slice path = input_line(&input), query = input_line(&input), accept = input_line(&input), text = input_line(&input);
    check_request(arena, path.len && path.ptr[0] == '/' ? path : S("/api/v1/pods"), query);
    for (int what = NEGOTIATE_ITEM; what <= NEGOTIATE_OTHER; what++) {
        struct answer_choice choice;
        struct err *e = negotiate_answer(accept, (enum negotiate_for)what, &choice);
        ENSURE(e || choice.content_type);
        err_free(e);
    }
    enum table_include include;
    err_free(table_include_parse(text, &include));
    check_quantity(arena, text);
    check_names(arena, text);
    (void)age_text(arena, text, (struct instant){1795295400000});
    arena_free(arena);
    return 0;
}
