/* doctor: what the two files of `ember doctor` share. */
#pragma once
#include "cli/command.h"

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL };

struct doctor {
    struct command *command;
    struct finding {
        enum verdict verdict;
        const char *name;
        struct slice detail;
        struct finding *next;
    } *first, *last;
    size_t failed;
};

/* One line. A detail that is no "ok" ends with what to do. */
void doctor_tell(struct doctor *doctor, enum verdict verdict, const char *name, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* doctor_data.c: the configuration and the data directory. */
void doctor_check_data(struct doctor *doctor);
