/* forms_test: every form in which clients write a value, and what is told of those that are none: JSON, query and XML over one structure
 * that has a member of each kind. */
#include "aws/test_util.h"

#include "aws/gen/logs.h"
#include "aws/gen/s3.h"
#include "aws/gen/sts.h"
#include "aws/value.h"
#include <math.h>
#include <string.h>

struct inner {
    struct slice name;
};
struct inner_list {
    bool set;
    size_t count;
    const struct inner *items;
};
struct forms {
    struct slice text;
    struct opt_i64 small, whole, large;
    struct opt_bool flag;
    struct opt_f64 ratio;
    struct opt_instant at;
    struct slice bytes;
    struct slice_list names, flat;
    struct slice_map labels;
    struct inner_list things;
    const struct inner *thing;
};

static const struct aws_shape text_shape = {.name = S_INIT("Text"), .kind = AWS_STRING, .size = sizeof(struct slice)};
static const struct aws_shape small_shape = {.name = S_INIT("Small"), .kind = AWS_INTEGER, .size = sizeof(struct opt_i64), .bits = 8};
static const struct aws_shape whole_shape = {.name = S_INIT("Whole"), .kind = AWS_INTEGER, .size = sizeof(struct opt_i64), .bits = 32};
static const struct aws_shape large_shape = {.name = S_INIT("Large"), .kind = AWS_INTEGER, .size = sizeof(struct opt_i64), .bits = 64};
static const struct aws_shape flag_shape = {.name = S_INIT("Flag"), .kind = AWS_BOOLEAN, .size = sizeof(struct opt_bool)};
static const struct aws_shape ratio_shape = {.name = S_INIT("Ratio"), .kind = AWS_FLOAT, .size = sizeof(struct opt_f64)};
static const struct aws_shape at_shape = {.name = S_INIT("At"), .kind = AWS_TIMESTAMP, .size = sizeof(struct opt_instant)};
static const struct aws_shape bytes_shape = {.name = S_INIT("Bytes"), .kind = AWS_BLOB, .size = sizeof(struct slice)};
static const struct aws_shape names_shape = {
    .name = S_INIT("Names"), .kind = AWS_LIST, .size = sizeof(struct slice_list), .item = &text_shape, .item_wire = S_INIT("member")};
static const struct aws_shape labels_shape = {.name = S_INIT("Labels"),
                                              .kind = AWS_MAP,
                                              .size = sizeof(struct slice_map),
                                              .key = &text_shape,
                                              .key_wire = S_INIT("key"),
                                              .item = &text_shape,
                                              .item_wire = S_INIT("value"),
                                              .entry_size = sizeof(struct slice_map_entry),
                                              .value_offset = offsetof(struct slice_map_entry, value)};
static const struct aws_member inner_members[] = {
    {.name = S_INIT("Name"), .wire = S_INIT("Name"), .offset = offsetof(struct inner, name), .shape = &text_shape}};
static const struct aws_shape inner_shape = {
    .name = S_INIT("Inner"), .kind = AWS_STRUCTURE, .size = sizeof(struct inner), .members = inner_members, .member_count = 1};
static const struct aws_shape things_shape = {
    .name = S_INIT("Things"), .kind = AWS_LIST, .size = sizeof(struct inner_list), .item = &inner_shape, .item_wire = S_INIT("member")};

#define MEMBER(name_, field, shape_)                                                                                   \
    {                                                                                                                  \
        .name = S_INIT(name_), .wire = S_INIT(name_), .offset = offsetof(struct forms, field), .shape = (shape_)       \
    }
static const struct aws_member members[] = {
    MEMBER("Text", text, &text_shape),       MEMBER("Small", small, &small_shape),   MEMBER("Whole", whole, &whole_shape),
    MEMBER("Large", large, &large_shape),    MEMBER("Flag", flag, &flag_shape),      MEMBER("Ratio", ratio, &ratio_shape),
    MEMBER("At", at, &at_shape),             MEMBER("Bytes", bytes, &bytes_shape),   MEMBER("Names", names, &names_shape),
    MEMBER("Labels", labels, &labels_shape), MEMBER("Things", things, &things_shape), MEMBER("Thing", thing, &inner_shape),
    {.name = S_INIT("Flat"), .wire = S_INIT("Flat"), .offset = offsetof(struct forms, flat), .shape = &names_shape, .flattened = true},
};
static const struct aws_shape forms_shape = {.name = S_INIT("Forms"),
                                             .kind = AWS_STRUCTURE,
                                             .size = sizeof(struct forms),
                                             .members = members,
                                             .member_count = ARRAY_SIZE(members)};

/* Every member that is set, as one line of text. */
static struct slice shown(struct arena *arena, const struct forms *forms)
{
    struct strbuf out = STRBUF_ARENA(arena);
    if (forms->text.ptr)
        strbuf_append_fmt(&out, "text=%.*s ", SLICE_ARG(forms->text));
    const struct opt_i64 *numbers[] = {&forms->small, &forms->whole, &forms->large};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (numbers[i]->set)
            strbuf_append_fmt(&out, "%lld ", (long long)numbers[i]->value);
    if (forms->flag.set)
        strbuf_append_fmt(&out, "%s ", forms->flag.value ? "true" : "false");
    if (forms->ratio.set)
        strbuf_append_fmt(&out, "%g ", forms->ratio.value);
    if (forms->at.set)
        strbuf_append_fmt(&out, "at=%lld ", (long long)forms->at.value.ms);
    if (forms->bytes.ptr)
        strbuf_append_fmt(&out, "bytes=%.*s ", SLICE_ARG(forms->bytes));
    const struct slice_list *lists[] = {&forms->names, &forms->flat};
    for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
        if (!lists[k]->set)
            continue;
        strbuf_append_fmt(&out, "[");
        for (size_t i = 0; i < lists[k]->count; i++)
            strbuf_append_fmt(&out, "%s%.*s", i ? "," : "", SLICE_ARG(lists[k]->items[i]));
        strbuf_append_fmt(&out, "] ");
    }
    if (forms->labels.set) {
        strbuf_append_fmt(&out, "{");
        for (size_t i = 0; i < forms->labels.count; i++)
            strbuf_append_fmt(&out, "%s%.*s=%.*s", i ? "," : "", SLICE_ARG(forms->labels.entries[i].key), SLICE_ARG(forms->labels.entries[i].value));
        strbuf_append_fmt(&out, "} ");
    }
    if (forms->things.set)
        for (size_t i = 0; i < forms->things.count; i++)
            strbuf_append_fmt(&out, "<%.*s> ", SLICE_ARG(forms->things.items[i].name));
    if (forms->thing)
        strbuf_append_fmt(&out, "thing=%.*s ", SLICE_ARG(forms->thing->name));
    return slice_trim(strbuf_slice(&out));
}

struct row {
    const char *text, *want; /* what is shown, or after '!' the error's message */
};

static void compare(struct arena *arena, const struct row *row, struct err *e, const char *code, const struct forms *forms)
{
    if (row->want[0] == '!') {
        if (!e)
            fail_msg("%s: taken as %s", row->text, slice_cstr(arena, shown(arena, forms)));
        assert_string_equal(e->code, code);
        if (strcmp(e->message, row->want + 1) != 0)
            fail_msg("%s: %s", row->text, e->message);
        err_free(e);
        return;
    }
    if (e)
        fail_msg("%s: %s", row->text, e->message);
    if (!slice_eq(shown(arena, forms), slice_from_cstr(row->want)))
        fail_msg("%s: %s", row->text, slice_cstr(arena, shown(arena, forms)));
}

static void test_json_values_in_every_form(void **state)
{
    static const struct row rows[] = {
        {"{}", ""},
        {" \n{ \"Text\" : \"a\" } ", "text=a"},
        {"{\"Unknown\":{\"Deep\":[1,{\"x\":null}]},\"Text\":\"a\"}", "text=a"},
        {"{\"Text\":null,\"Whole\":null,\"Flag\":null,\"At\":null,\"Names\":null,\"Labels\":null,\"Thing\":null}", ""},
        {"{\"Text\":\"\"}", "text="},
        {"{\"Text\":\"a\",\"Text\":\"b\"}", "text=b"},
        {"{\"Text\":\"\\u00e9\\ud83d\\ude00\\/\\n\"}", "text=\xc3\xa9\xf0\x9f\x98\x80/"},
        {"{\"Text\":\"\xc3\xa9\"}", "text=\xc3\xa9"},
        {"{\"Text\":5}", "!NUMBER_VALUE can not be converted to a String"},
        {"{\"Text\":5.5}", "!DECIMAL_VALUE can not be converted to a String"},
        {"{\"Text\":true}", "!TRUE_VALUE can not be converted to a String"},
        {"{\"Text\":false}", "!FALSE_VALUE can not be converted to a String"},
        {"{\"Text\":[]}", "!Start of list found where not expected"},
        {"{\"Text\":{}}", "!Start of structure or map found where not expected."},
        {"{\"Whole\":1}", "1"},
        {"{\"Whole\":-1}", "-1"},
        {"{\"Whole\":1.0}", "1"},
        {"{\"Whole\":1.9}", "1"},
        {"{\"Whole\":-1.9}", "-1"},
        {"{\"Whole\":1e3}", "1000"},
        {"{\"Whole\":1E+2}", "100"},
        {"{\"Whole\":25e-1}", "2"},
        {"{\"Whole\":2147483647}", "2147483647"},
        {"{\"Whole\":2147483648}", "2147483647"},
        {"{\"Whole\":-2147483649}", "-2147483648"},
        {"{\"Whole\":1e300}", "2147483647"},
        {"{\"Whole\":-1e999}", "-2147483648"},
        {"{\"Small\":200}", "127"},
        {"{\"Small\":-200}", "-128"},
        {"{\"Large\":9223372036854775807}", "9223372036854775807"},
        {"{\"Large\":9223372036854775808}", "9223372036854775807"},
        {"{\"Large\":99999999999999999999999999}", "9223372036854775807"},
        {"{\"Large\":-99999999999999999999999999}", "-9223372036854775808"},
        {"{\"Large\":9007199254740993.7}", "9007199254740993"},
        {"{\"Whole\":\"1\"}", "!STRING_VALUE can not be converted to an Integer"},
        {"{\"Large\":\"1\"}", "!STRING_VALUE can not be converted to a Long"},
        {"{\"Whole\":true}", "!TRUE_VALUE can not be converted to an Integer"},
        {"{\"Whole\":\"NaN\"}", "!STRING_VALUE can not be converted to an Integer"},
        {"{\"Flag\":true}", "true"},
        {"{\"Flag\":\"true\"}", "!STRING_VALUE can not be converted to a Boolean"},
        {"{\"Flag\":1}", "!NUMBER_VALUE can not be converted to a Boolean"},
        {"{\"Ratio\":1}", "1"},
        {"{\"Ratio\":1.5e1}", "15"},
        {"{\"Ratio\":\"NaN\"}", "nan"},
        {"{\"Ratio\":\"Infinity\"}", "inf"},
        {"{\"Ratio\":\"-Infinity\"}", "-inf"},
        {"{\"Ratio\":\"1.5\"}", "!STRING_VALUE can not be converted to a Double"},
        {"{\"At\":1795295400}", "at=1795295400000"},
        {"{\"At\":1795295400.123}", "at=1795295400123"},
        {"{\"At\":1795295400.123999}", "at=1795295400123"},
        {"{\"At\":1.7952954E9}", "at=1795295400000"},
        {"{\"At\":-1}", "at=-1000"},
        {"{\"At\":0}", "at=0"},
        {"{\"At\":\"2026-11-21T21:10:00Z\"}", "at=1795295400000"},
        {"{\"At\":\"2026-11-21T21:10:00.123Z\"}", "at=1795295400123"},
        {"{\"At\":\"2026-11-21T23:10:00+02:00\"}", "at=1795295400000"},
        {"{\"At\":\"2026-11-21T19:40:00.5-01:30\"}", "at=1795295400500"},
        {"{\"At\":\"Sat, 21 Nov 2026 21:10:00 GMT\"}", "at=1795295400000"},
        {"{\"At\":\"1795295400\"}", "at=1795295400000"},
        {"{\"At\":\"yesterday\"}", "!STRING_VALUE can not be converted to milliseconds since epoch"},
        {"{\"At\":true}", "!TRUE_VALUE can not be converted to milliseconds since epoch"},
        {"{\"At\":[]}", "!Start of list found where not expected"},
        {"{\"Bytes\":\"YWJj\"}", "bytes=abc"},
        {"{\"Bytes\":\"\"}", "bytes="},
        {"{\"Bytes\":\"YWI=\"}", "bytes=ab"},
        {"{\"Bytes\":\"YWI\"}", "!'YWI' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 3"},
        {"{\"Bytes\":\"YW-_\"}", "!'YW-_' can not be converted to a Blob: Invalid Base64 character"},
        {"{\"Bytes\":5}", "!NUMBER_VALUE can not be converted to a Blob"},
        {"{\"Names\":[]}", "[]"},
        {"{\"Names\":[\"a\",\"b\"]}", "[a,b]"},
        {"{\"Names\":\"a\"}", "!Expected list or null"},
        {"{\"Names\":{}}", "!Start of structure or map found where not expected."},
        {"{\"Names\":[1]}", "!NUMBER_VALUE can not be converted to a String"},
        {"{\"Labels\":{\"a\":\"b\",\"c\":\"\"}}", "{a=b,c=}"},
        {"{\"Labels\":{}}", "{}"},
        {"{\"Labels\":\"a\"}", "!Expected map or null"},
        {"{\"Labels\":[]}", "!Start of list found where not expected"},
        {"{\"Things\":[{\"Name\":\"a\"},{\"Other\":1}]}", "<a> <>"},
        {"{\"Thing\":{\"Name\":\"a\"}}", "thing=a"},
        {"{\"Thing\":\"a\"}", "!Expected null"},
        {"{\"Thing\":5}", "!Expected null"},
        {"{\"Thing\":[]}", "!Start of list found where not expected"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct forms forms = {0};
        struct err *e = aws_json_decode(*state, &logs_service, &forms_shape, slice_from_cstr(rows[i].text), &forms);
        compare(*state, &rows[i], e, "SerializationException", &forms);
    }
}

static void test_texts_that_are_no_json_get_the_code_alone(void **state)
{
    static const char *const bodies[] = {"",
                                         "   ",
                                         "{",
                                         "}",
                                         "null",
                                         "\"x\"",
                                         "5",
                                         "{\"Text\":\"a\",}",
                                         "{\"Text\" \"a\"}",
                                         "{'Text':'a'}",
                                         "{\"Text\":\"a\"} {}",
                                         "{\"Whole\":01}",
                                         "{\"Whole\":+1}",
                                         "{\"Whole\":.5}",
                                         "{\"Whole\":1.}",
                                         "{\"Whole\":0x10}",
                                         "{\"Ratio\":NaN}",
                                         "{\"Ratio\":Infinity}",
                                         "{\"Text\":\"\\ud800\"}",
                                         "{\"Text\":\"\\udc00\\ud800\"}",
                                         "{\"Text\":\"\\x41\"}",
                                         "{\"Text\":\"a\nb\"}",
                                         "{\"Text\":\"\xff\"}",
                                         "{\"Text\":\"\xed\xa0\x80\"}",
                                         "\xef\xbb\xbf{}",
                                         "{/* no */}"};
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct forms forms = {0};
        struct row row = {bodies[i], "!"};
        compare(*state, &row, aws_json_decode(*state, &logs_service, &forms_shape, slice_from_cstr(bodies[i]), &forms), "SerializationException",
                &forms);
    }
    struct forms forms = {0};
    struct row list = {"[]", "!Start of list found where not expected"};
    compare(*state, &list, aws_json_decode(*state, &logs_service, &forms_shape, S("[]"), &forms), "SerializationException", &forms);
}

static void test_the_number_of_values_is_bounded(void **state)
{
    static const char *const rows[] = {"{},", "[],", "0,", "\"\",", "{\"a\":0},"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        struct strbuf body = STRBUF_ARENA(*state);
        struct forms forms = {0};
        strbuf_append_cstr(&body, "{\"Unknown\":[");
        for (int k = 0; k < 100000; k++)
            strbuf_append_cstr(&body, rows[i]);
        strbuf_append_cstr(&body, "0]}");
        assert_error(aws_json_decode(arena, &logs_service, &forms_shape, strbuf_slice(&body), &forms), "SerializationException", 400);
        assert_in_range(arena_used(arena), 0, 65536);
    }
    /* In a string they are text. */
    struct strbuf body = STRBUF_ARENA(*state);
    struct forms forms = {0};
    strbuf_append_cstr(&body, "{\"Unknown\":\"");
    for (int k = 0; k < 50000; k++)
        strbuf_append_cstr(&body, ",[{\\\"\\\\");
    strbuf_append_cstr(&body, "\"}");
    assert_ok(aws_json_decode(*state, &logs_service, &forms_shape, strbuf_slice(&body), &forms));
}

static void test_depth_is_bounded(void **state)
{
    struct strbuf body = STRBUF_ARENA(*state);
    strbuf_append_cstr(&body, "{\"Unknown\":");
    for (int i = 0; i < 100000; i++)
        strbuf_append_char(&body, '[');
    for (int i = 0; i < 100000; i++)
        strbuf_append_char(&body, ']');
    strbuf_append_char(&body, '}');
    struct forms forms = {0};
    assert_error(aws_json_decode(*state, &logs_service, &forms_shape, strbuf_slice(&body), &forms), "SerializationException", 400);
}

static void test_an_error_without_a_message_has_its_code_alone(void **state)
{
    struct forms forms = {0};
    struct err *e = aws_json_decode(*state, &logs_service, &forms_shape, S("{"), &forms);
    struct aws_response response = aws_encode_error(*state, &logs_service, NULL, S("id"), e);
    assert_slice(response.body, S("{\"__type\":\"SerializationException\"}"));
    err_free(e);
    e = aws_json_decode(*state, &logs_service, &forms_shape, S("[]"), &forms);
    response = aws_encode_error(*state, &logs_service, NULL, S("id"), e);
    assert_slice(response.body, S("{\"__type\":\"SerializationException\",\"Message\":\"Start of list found where not expected\"}"));
    err_free(e);
}

static void test_query_values_in_every_form(void **state)
{
    static const struct row rows[] = {
        {"Action=X&Unknown.member.1=5&Text=a%20b+c", "text=a b c"},
        {"Text=", "text="},
        {"Whole=5&Large=-5", "5 -5"},
        {"Whole=2147483648", "!Value '2147483648' at 'Whole' can not be converted"},
        {"Large=9223372036854775808", "!Value '9223372036854775808' at 'Large' can not be converted"},
        {"Whole=1.0", "!Value '1.0' at 'Whole' can not be converted"},
        {"Whole=1e3", "!Value '1e3' at 'Whole' can not be converted"},
        {"Whole=", "!Value '' at 'Whole' can not be converted"},
        {"Flag=true", "true"},
        {"Flag=False", "false"},
        {"Flag=1", "!Value '1' at 'Flag' can not be converted"},
        {"Ratio=1.5", "1.5"},
        {"Ratio=NaN", "nan"},
        {"Ratio=nan", "!Value 'nan' at 'Ratio' can not be converted"},
        {"At=2026-11-21T21%3A10%3A00Z", "at=1795295400000"},
        {"At=2026-11-21T21%3A10%3A00.123Z", "at=1795295400123"},
        {"At=2026-11-21T23%3A10%3A00%2B02%3A00", "at=1795295400000"},
        {"At=1795295400", "at=1795295400000"},
        {"At=yesterday", "!Value 'yesterday' at 'At' can not be converted"},
        {"Bytes=YWI%3D", "bytes=ab"},
        {"Bytes=YWI", "!Value 'YWI' at 'Bytes' can not be converted"},
        {"Names=", "[]"},
        {"Names.member.1=a&Names.member.2=b", "[a,b]"},
        {"Names.member.2=b&Names.member.1=a", "[a,b]"},
        {"Names.member.7=b&Names.member.3=a", "[a,b]"},
        {"Names.member.10=c&Names.member.9=b&Names.member.1=a", "[a,b,c]"},
        {"Names.member.0=z&Names.member.x=y&Names.member.-1=w&Names.member.1=a", "[a]"},
        {"Names.member.1=a&Names.member.1=b", "[a]"},
        {"Names.member.99999999999999999999=a", "[]"},
        {"Flat.2=b&Flat.1=a", "[a,b]"},
        {"Labels.entry.1.key=a&Labels.entry.1.value=b&Labels.entry.3.key=c&Labels.entry.3.value=", "{a=b,c=}"},
        {"Things.member.1.Name=a&Things.member.4.Name=b", "<a> <b>"},
        {"Thing.Name=a", "thing=a"},
        {"Thing.Other=a", "thing="},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct forms forms = {0};
        struct aws_params params;
        assert_true(aws_params_parse(*state, slice_from_cstr(rows[i].text), AWS_PLUS_IS_SPACE, &params));
        compare(*state, &rows[i], aws_query_decode(*state, &sts_service, &forms_shape, params, &forms), "MalformedInput", &forms);
    }
}

static void test_a_query_has_no_endless_lists(void **state)
{
    struct strbuf text = STRBUF_ARENA(*state);
    for (int i = 1; i <= 1001; i++)
        strbuf_append_fmt(&text, "Names.member.%d=a&", i);
    struct forms forms = {0};
    struct aws_params params;
    assert_true(aws_params_parse(*state, strbuf_slice(&text), AWS_PLUS_IS_SPACE, &params));
    assert_error(aws_query_decode(*state, &sts_service, &forms_shape, params, &forms), "MalformedInput", 400);
}

static void test_xml_values_in_every_form(void **state)
{
    static const char malformed[] = "!The XML you provided was not well-formed or did not validate against our published schema";
    static const struct row rows[] = {
        {"<Forms/>", ""},
        {"<Forms><Unknown><A>1</A></Unknown><Text>a &amp; b</Text></Forms>", "text=a & b"},
        {"<Forms><Text/></Forms>", "text="},
        {"<Forms><Text><![CDATA[<a>]]></Text></Forms>", "text=<a>"},
        {"<Forms><Whole> 5 </Whole></Forms>", "5"},
        {"<Forms><Whole>5.0</Whole></Forms>", malformed},
        {"<Forms><Whole>2147483648</Whole></Forms>", malformed},
        {"<Forms><Whole/></Forms>", malformed},
        {"<Forms><Flag>true</Flag></Forms>", "true"},
        {"<Forms><Flag>yes</Flag></Forms>", malformed},
        {"<Forms><At>2026-11-21T21:10:00.000Z</At></Forms>", "at=1795295400000"},
        {"<Forms><At>never</At></Forms>", malformed},
        {"<Forms><Bytes>YWI=</Bytes></Forms>", "bytes=ab"},
        {"<Forms><Names><member>a</member><other/><member>b</member></Names></Forms>", "[a,b]"},
        {"<Forms><Names/></Forms>", "[]"},
        {"<Forms><Flat>a</Flat><Text>x</Text><Flat>b</Flat></Forms>", "text=x [a,b]"},
        {"<Forms><Labels><entry><key>a</key><value>b</value></entry></Labels></Forms>", "{a=b}"},
        {"<Forms><Labels><entry><key>a</key></entry></Labels></Forms>", malformed},
        {"<Forms><Thing><Name>a</Name></Thing></Forms>", "thing=a"},
        {"<Other/>", malformed},
        {"", malformed},
        {"<Forms>", malformed},
        {"<Forms/><Forms/>", malformed},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct forms forms = {0};
        struct err *e = aws_xml_decode(*state, &s3_service, &forms_shape, S("Forms"), slice_from_cstr(rows[i].text), &forms);
        compare(*state, &rows[i], e, "MalformedXML", &forms);
    }
}

static void test_numbers_that_json_has_none_for_are_written_as_text(void **state)
{
    struct forms forms = {.ratio = OPT_F64(-INFINITY)};
    assert_slice(aws_json_encode(*state, &forms_shape, &forms), S("{\"Ratio\":\"-Infinity\"}"));
    forms.ratio = OPT_F64(NAN);
    assert_slice(aws_json_encode(*state, &forms_shape, &forms), S("{\"Ratio\":\"NaN\"}"));
    forms.ratio = OPT_F64(0.5);
    assert_slice(aws_json_encode(*state, &forms_shape, &forms), S("{\"Ratio\":0.5}"));
}

static const struct aws_shape short_shape = {
    .name = S_INIT("Short"), .kind = AWS_STRING, .size = sizeof(struct slice), .has_min = true, .min = 3};
static const struct aws_member secret_members[] = {
    {.name = S_INIT("Name"), .wire = S_INIT("Name"), .offset = offsetof(struct inner, name), .shape = &short_shape}};
static const struct aws_shape secret_shape = {.name = S_INIT("Secret"),
                                              .kind = AWS_STRUCTURE,
                                              .size = sizeof(struct inner),
                                              .members = secret_members,
                                              .member_count = 1,
                                              .sensitive = true};
static const struct aws_shape many_shape = {
    .name = S_INIT("Many"), .kind = AWS_LIST, .size = sizeof(struct inner_list), .item = &secret_shape, .item_wire = S_INIT("member")};

static void assert_complaint(struct arena *arena, const struct aws_shape *request, struct slice body, const char *message)
{
    struct aws_operation operation = {.service = &logs_service, .request = request};
    struct forms forms = {0};
    assert_ok(aws_json_decode(arena, &logs_service, request, body, &forms));
    struct err *e = aws_validate(arena, &operation, &forms);
    assert_non_null(e);
    assert_string_equal(e->message, message);
    err_free(e);
}

static void test_what_is_inside_a_secret_structure_is_secret(void **state)
{
    static const struct aws_member one[] = {MEMBER("Thing", thing, &secret_shape)};
    static const struct aws_shape request = {
        .name = S_INIT("Request"), .kind = AWS_STRUCTURE, .size = sizeof(struct forms), .members = one, .member_count = 1};
    assert_complaint(*state, &request, S("{\"Thing\":{\"Name\":\"ab\"}}"),
                     "1 validation error detected: Value at 'thing.name' failed to satisfy constraint: Member must have length greater than "
                     "or equal to 3");
}

static void test_no_more_than_ten_violations_are_told(void **state)
{
    static const struct aws_member one[] = {MEMBER("Things", things, &many_shape)};
    static const struct aws_shape request = {
        .name = S_INIT("Request"), .kind = AWS_STRUCTURE, .size = sizeof(struct forms), .members = one, .member_count = 1};
    struct strbuf body = STRBUF_ARENA(*state), message = STRBUF_ARENA(*state);
    strbuf_append_cstr(&body, "{\"Things\":[");
    strbuf_append_cstr(&message, "10 validation errors detected: ");
    for (int i = 1; i <= 12; i++) {
        strbuf_append_fmt(&body, "%s{\"Name\":\"\"}", i > 1 ? "," : "");
        if (i <= 10)
            strbuf_append_fmt(&message,
                              "%sValue at 'things.%d.member.name' failed to satisfy constraint: Member must have length greater than or equal "
                              "to 3",
                              i > 1 ? "; " : "", i);
    }
    strbuf_append_cstr(&body, "]}");
    assert_complaint(*state, &request, strbuf_slice(&body), message.ptr);
}

static void test_what_is_wrong_behind_the_tenth_costs_nothing(void **state)
{
    static const struct aws_member one[] = {MEMBER("Things", things, &many_shape)};
    static const struct aws_shape request = {
        .name = S_INIT("Request"), .kind = AWS_STRUCTURE, .size = sizeof(struct forms), .members = one, .member_count = 1};
    struct aws_operation operation = {.service = &logs_service, .request = &request};
    struct strbuf body = STRBUF_ARENA(*state);
    struct forms forms = {0};
    strbuf_append_cstr(&body, "{\"Things\":[{\"Name\":\"\"}");
    for (int i = 0; i < 20000; i++)
        strbuf_append_cstr(&body, ",{\"Name\":\"\"}");
    strbuf_append_cstr(&body, "]}");
    assert_ok(aws_json_decode(*state, &logs_service, &request, strbuf_slice(&body), &forms));
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    err_free(aws_validate(arena, &operation, &forms));
    assert_in_range(arena_used(arena), 1, 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_json_values_in_every_form),
        TEST(test_texts_that_are_no_json_get_the_code_alone),
        TEST(test_the_number_of_values_is_bounded),
        TEST(test_depth_is_bounded),
        TEST(test_an_error_without_a_message_has_its_code_alone),
        TEST(test_query_values_in_every_form),
        TEST(test_a_query_has_no_endless_lists),
        TEST(test_xml_values_in_every_form),
        TEST(test_what_is_inside_a_secret_structure_is_secret),
        TEST(test_no_more_than_ten_violations_are_told),
        TEST(test_what_is_wrong_behind_the_tenth_costs_nothing),
        TEST(test_numbers_that_json_has_none_for_are_written_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
