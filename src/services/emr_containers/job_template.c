#include "services/emr_containers/job_template.h"
#include "base/json.h"
#include "base/strbuf.h"

struct filling {
    struct arena *arena;
    const struct slice_map *given;
    const struct json *configuration; /* parameterConfiguration; NULL: none */
    struct slice_map_entry *used;     /* names in the template; keys only */
    size_t used_count, used_cap;
    size_t put_bytes; /* of values, in all texts */
};

/* What a text with its parameters may have at most: sparkSubmitParameters takes the most of all members, 102400 characters of Java, each of at
 * most 3 bytes. aws_validate holds each to its own length afterwards; a parameter may stand in a template many thousand times. */
#define TEXT_MAX_CHARACTERS 102400
#define TEXT_MAX_BYTES ((size_t)3 * TEXT_MAX_CHARACTERS)
#define PUT_MAX_BYTES ((size_t)1 << 20)

static size_t count_digits(struct slice text, size_t at)
{
    size_t count = 0;
    while (at + count < text.len && text.ptr[at + count] >= '0' && text.ptr[at + count] <= '9')
        count++;
    return count;
}

/* A number of JSON and nothing around it: blanks or line ends would go where the parameter stands. */
static bool is_number(struct slice text)
{
    size_t at = slice_starts_with(text, S("-")), count = count_digits(text, at);
    if (!count || (count > 1 && text.ptr[at] == '0'))
        return false;
    at += count;
    if (at < text.len && text.ptr[at] == '.') {
        count = count_digits(text, ++at);
        if (!count)
            return false;
        at += count;
    }
    if (at < text.len && (text.ptr[at] | 0x20) == 'e') {
        at++;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
            at++;
        count = count_digits(text, at);
        if (!count)
            return false;
        at += count;
    }
    return at == text.len;
}

static struct err *not_a_number(struct slice name, struct slice value)
{
    return emr_containers_invalid("The value '%.*s' of the job template parameter %.*s is not a NUMBER.", SLICE_ARG(value), SLICE_ARG(name));
}

static const struct slice *find(const struct slice_map *map, struct slice key)
{
    for (size_t i = 0; i < map->count; i++) {
        if (slice_eq(map->entries[i].key, key))
            return &map->entries[i].value;
    }
    return NULL;
}

static void note_use(struct filling *f, struct slice name)
{
    if (find(&(struct slice_map){.entries = f->used, .count = f->used_count}, name))
        return;
    if (f->used_count == f->used_cap) {
        struct slice_map_entry *more = ARENA_ARRAY(f->arena, f->used_cap * 2 + 8, struct slice_map_entry);
        for (size_t i = 0; i < f->used_count; i++)
            more[i] = f->used[i];
        f->used = more;
        f->used_cap = f->used_cap * 2 + 8;
    }
    f->used[f->used_count++] = (struct slice_map_entry){.key = name, .value = name};
}

static struct err *value_of(struct filling *f, struct slice name, struct slice *ret_value)
{
    const struct json *configuration = json_get(f->configuration, name);
    const struct slice *given = find(f->given, name);
    struct slice value = given ? *given : json_get_text(configuration, "defaultValue");
    note_use(f, name);
    if (!value.ptr)
        return emr_containers_invalid("The job template parameter %.*s has no value: give one in jobTemplateParameters.", SLICE_ARG(name));
    if (slice_eq(json_get_text(configuration, "type"), EMR_CONTAINERS_TEMPLATE_PARAMETER_DATA_TYPE_NUMBER) && !is_number(value))
        return not_a_number(name, value);
    *ret_value = value;
    return NULL;
}

/* The length of the ${Name} that text begins with; 0: it does not. */
static size_t parameter_length(struct slice text)
{
    static const char OTHERS[] = "._#-";
    if (!slice_starts_with(text, S("${")))
        return 0;
    for (size_t i = 2; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '}')
            return i > 2 ? i + 1 : 0;
        bool in_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || slice_index(S(OTHERS), c) >= 0;
        if (!in_name)
            return 0;
    }
    return 0;
}

static struct err *put_value(struct filling *f, struct slice value, struct strbuf *out)
{
    f->put_bytes += value.len;
    if (out->len + value.len > TEXT_MAX_BYTES)
        return emr_containers_invalid("A text of the job template has more than %d characters with its parameters.", TEXT_MAX_CHARACTERS);
    if (f->put_bytes > PUT_MAX_BYTES)
        return emr_containers_invalid("The parameters of the job template have more than %zu bytes in all its texts.", PUT_MAX_BYTES);
    strbuf_append(out, value);
    return NULL;
}

static struct err *fill_text(struct filling *f, struct slice text, struct slice *ret_text)
{
    struct strbuf out = STRBUF_ARENA(f->arena);
    if (slice_find(text, S("${")) < 0) {
        *ret_text = text;
        return NULL;
    }
    for (size_t at = 0; at < text.len;) {
        struct slice rest = slice_from(text, at);
        size_t length = parameter_length(rest);
        if (length) {
            struct slice value;
            TRY(value_of(f, slice_sub(rest, 2, length - 3), &value));
            TRY(put_value(f, value, &out));
            at += length;
        } else {
            strbuf_append_char(&out, rest.ptr[0]);
            at++;
        }
    }
    *ret_text = strbuf_slice(&out);
    return NULL;
}

static struct err *fill_value(struct filling *f, struct json *value)
{
    if (value->type == JSON_STRING)
        TRY(fill_text(f, value->text, &value->text));
    JSON_FOREACH (child, value)
        TRY(fill_value(f, child));
    return NULL;
}

struct err *job_template_fill(struct arena *arena, struct slice body, const struct slice_map *parameters, struct json **ret_data)
{
    struct json *data;
    TRY(err_wrap(json_parse(arena, body, JSON_DUPLICATES_REFUSE, &data), "reading a job template"));
    struct filling f = {.arena = arena, .given = parameters};
    struct json *configuration = json_get(data, S("parameterConfiguration"));
    if (configuration)
        json_unlink(data, configuration);
    f.configuration = configuration;
    TRY(fill_value(&f, data));
    const struct slice_map used = {.entries = f.used, .count = f.used_count};
    for (size_t i = 0; i < parameters->count; i++) {
        struct slice name = parameters->entries[i].key;
        if (!find(&used, name) && !json_get(configuration, name))
            return emr_containers_invalid("The job template has no parameter %.*s.", SLICE_ARG(name));
    }
    *ret_data = data;
    return NULL;
}

struct err *job_template_check(struct call *call, const struct emr_containers_job_template_data *data)
{
    if (!data->job_driver->spark_submit_job_driver == !data->job_driver->spark_sql_job_driver)
        return emr_containers_invalid("Exactly one of sparkSubmitJobDriver and sparkSqlJobDriver must be given in jobTemplateData.jobDriver.");
    for (size_t i = 0; i < data->parameter_configuration.count; i++) {
        struct slice name = data->parameter_configuration.entries[i].key;
        const struct emr_containers_template_parameter_configuration *one = &data->parameter_configuration.entries[i].value;
        if (one->default_value.ptr && slice_eq(one->type, EMR_CONTAINERS_TEMPLATE_PARAMETER_DATA_TYPE_NUMBER) &&
            !is_number(one->default_value))
            return not_a_number(name, one->default_value);
    }
    return NULL;
}

struct err *job_template_find(struct call *call, struct slice id, struct document *ret_row)
{
    struct err *e = store_document_get(call->parts->store, call->arena, DOCUMENT_JOB_TEMPLATE, id, ret_row);
    if (!e || e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    return err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "Job template %.*s doesn't exist.", SLICE_ARG(id));
}

struct err *job_template_view(struct call *call, const struct document *row, struct emr_containers_job_template *ret_view)
{
    struct slice arn = job_template_arn(call, row->id);
    struct slice_map tags;
    const void *data;
    TRY(tags_of(call, arn, &tags));
    TRY(stored_member_decode(call, S("CreateJobTemplate"), S("jobTemplateData"), row->body, &data));
    *ret_view = (struct emr_containers_job_template){
        .id = row->id,
        .name = row->name,
        .arn = arn,
        .created_at = OPT_INSTANT(row->created_at),
        .created_by = row->created_by,
        .tags = tags,
        .job_template_data = data,
    };
    return NULL;
}
