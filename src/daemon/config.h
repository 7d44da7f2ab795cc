/* config: emberd's command line. Texts point into argv, the environment or the arena. */
#pragma once
#include "base/err.h"
#include "base/slice.h"

struct arena;

struct config {
    const char *data_dir; /* absolute */
    const char *address;  /* numeric, without port or brackets */
    uint16_t port;        /* 0: any */
    struct slice account_id, region;
    const char *tls_cert, *tls_key; /* both or none */
    int node_count;
    bool strict_releases;
    bool help, version; /* asked for: nothing else counts */
};

/* ERR_INVALID: one sentence that says what to do. */
struct err *config_parse(struct arena *arena, int argc, char **argv, struct config *ret_config) NODISCARD;
void config_print_help(void);
