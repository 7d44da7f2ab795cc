/* negotiate: which form an answer takes, by the Accept header. Pure. Source: error-media, kubectl-get captures. */
#pragma once
#include "base/err.h"
#include "base/slice.h"

enum answer_form { ANSWER_OBJECT, ANSWER_TABLE, ANSWER_PARTIAL }; /* PARTIAL: PartialObjectMetadata or …List */
enum answer_encoding { ANSWER_JSON, ANSWER_YAML };

struct answer_choice {
    enum answer_form form;
    enum answer_encoding encoding;
    const char *content_type; /* "application/json", "application/yaml" */
};

enum negotiate_for { NEGOTIATE_ITEM, NEGOTIATE_LIST, NEGOTIATE_OTHER }; /* OTHER: as= is not understood (discovery, Status) */

/* Absent or empty accept: JSON. Protobuf is passed over where JSON is named too. 406 with the list. */
struct err *negotiate_answer(struct slice accept, enum negotiate_for what, struct answer_choice *ret_choice) NODISCARD;
