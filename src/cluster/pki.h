/* pki: the certificates of one cluster, made once and kept in its directory: ca.crt, ca.key, server.crt, server.key, admin.crt,
 * admin.key (0600). */
#pragma once
#include "base/err.h"
#include "base/x509.h"

struct pki {
    struct x509_pair ca, server, admin; /* in the arena */
    struct slice ca_path, server_cert_path, server_key_path; /* NUL-terminated */
};

/* Loads or makes them. The server's names are address and kubernetes.default.svc with its shorter and longer forms; the admin is
 * in system:masters. What ends within 30 days is made again, the server's at every start. */
struct err *pki_open(struct arena *arena, struct slice dir, struct slice address, struct pki *ret_pki) NODISCARD;
