/* x509: keys and certificates of a private authority (OpenSSL behind it). EC P-256 keys, SHA-256 signatures; PEM in and out.
 * Pure but for randomness and the clock; any thread. */
#pragma once
#include "base/clock.h"
#include "base/err.h"

struct x509_pair {
    struct slice cert_pem;
    struct slice key_pem; /* secret: PKCS#8 */
};

/* A self-signed certificate authority, valid for ten years. */
struct err *x509_make_ca(struct arena *arena, struct slice common_name, struct x509_pair *ret_ca) NODISCARD;

struct x509_leaf_options {
    struct slice common_name;
    const struct slice *organizations;
    size_t organization_count;
    const struct slice *dns_names; /* subject alternative names; a server certificate when any name or address is given, */
    size_t dns_name_count;         /* else a client certificate */
    const struct slice *addresses; /* numeric */
    size_t address_count;
    int valid_days;                /* 0: ten years */
};
struct err *x509_make_leaf(struct arena *arena, const struct x509_pair *ca, const struct x509_leaf_options *options,
                           struct x509_pair *ret_leaf) NODISCARD;
/* When the first certificate of the text ends. ERR_INTERNAL: there is none. */
struct err *x509_ends_at(struct slice cert_pem, struct instant *ret_end) NODISCARD;
/* True when cert_pem ends (notAfter) later than `than` and key_pem is its key. */
bool x509_usable(const struct x509_pair *pair, struct instant than);
