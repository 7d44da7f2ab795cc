#include "cluster/apiserver/negotiate.h"
#include "cluster/apiserver/status_error.h"

#define ACCEPTED "application/json, application/yaml, application/vnd.kubernetes.protobuf"

struct media_range {
    struct slice type;
    struct slice as, group, version; /* absent: not given */
};

static struct media_range parse_range(struct slice text)
{
    struct media_range range = {.type = slice_trim(slice_cut(&text, ';'))};
    while (text.ptr) {
        struct slice part = slice_trim(slice_cut(&text, ';')), name, value;
        if (!slice_split(part, '=', &name, &value))
            continue;
        if (slice_eq(name, S("as")))
            range.as = value;
        else if (slice_eq(name, S("g")))
            range.group = value;
        else if (slice_eq(name, S("v")))
            range.version = value;
    }
    return range;
}

/* False: the as= of the range is not understood for this answer. */
static bool choose_form(const struct media_range *range, enum negotiate_for what, enum answer_form *ret_form)
{
    if (!range->as.ptr) {
        *ret_form = ANSWER_OBJECT;
        return true;
    }
    bool meta = slice_eq(range->group, S("meta.k8s.io")) && (slice_eq(range->version, S("v1")) || slice_eq(range->version, S("v1beta1")));
    if (what == NEGOTIATE_OTHER || !meta)
        return false;
    if (slice_eq(range->as, S("Table")))
        *ret_form = ANSWER_TABLE;
    else if (slice_eq(range->as, S("PartialObjectMetadata")) || slice_eq(range->as, S("PartialObjectMetadataList")))
        *ret_form = ANSWER_PARTIAL;
    else
        return false;
    return true;
}

struct err *negotiate_answer(struct slice accept, enum negotiate_for what, struct answer_choice *ret_choice)
{
    struct answer_choice choice = {.form = ANSWER_OBJECT, .encoding = ANSWER_JSON, .content_type = "application/json"};
    struct slice rest = slice_trim(accept);
    bool known = false;
    if (rest.len == 0) {
        *ret_choice = choice;
        return NULL;
    }
    while (rest.ptr) {
        struct media_range range = parse_range(slice_cut(&rest, ','));
        bool yaml = slice_eq_nocase(range.type, S("application/yaml"));
        bool json = slice_eq_nocase(range.type, S("application/json")) || slice_eq(range.type, S("*/*"));
        known |= yaml || json || slice_eq_nocase(range.type, S("application/vnd.kubernetes.protobuf"));
        if ((!yaml && !json) || !choose_form(&range, what, &choice.form))
            continue;
        if (yaml) {
            choice.encoding = ANSWER_YAML;
            choice.content_type = "application/yaml";
        }
        *ret_choice = choice;
        return NULL;
    }
    return known ? status_not_acceptable(ACCEPTED) : status_not_acceptable_at_all("application/json, application/yaml, application/vnd.kubernetes.protobuf");
}
