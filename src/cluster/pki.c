#include "cluster/pki.h"
#include "base/arena.h"
#include "base/fd.h"

enum { PEM_MAX_BYTES = 65536 };
#define THIRTY_DAYS_MS ((int64_t)30 * 86400 * 1000)

static struct slice in_dir(struct arena *arena, struct slice dir, const char *name)
{
    return slice_fmt(arena, "%.*s/%s", SLICE_ARG(dir), name);
}

static struct err *pair_load(struct arena *arena, struct slice cert_path, struct slice key_path, struct x509_pair *ret_pair, bool *ret_usable)
{
    struct x509_pair pair = {0};
    struct err *e = file_read(arena, cert_path.ptr, PEM_MAX_BYTES, &pair.cert_pem);
    if (!e)
        e = file_read(arena, key_path.ptr, PEM_MAX_BYTES, &pair.key_pem);
    *ret_usable = false;
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return NULL;
    }
    if (e)
        return e;
    *ret_usable = x509_usable(&pair, (struct instant){.ms = instant_now().ms + THIRTY_DAYS_MS});
    *ret_pair = pair;
    return NULL;
}

static struct err *pair_store(const struct x509_pair *pair, struct slice cert_path, struct slice key_path)
{
    TRY(file_write_atomic(key_path.ptr, pair->key_pem, 0600));
    return file_write_atomic(cert_path.ptr, pair->cert_pem, 0644);
}

struct err *pki_open(struct arena *arena, struct slice dir, struct slice address, struct pki *ret_pki)
{
    struct pki pki = {
        .ca_path = in_dir(arena, dir, "ca.crt"),
        .server_cert_path = in_dir(arena, dir, "server.crt"),
        .server_key_path = in_dir(arena, dir, "server.key"),
    };
    struct slice ca_key = in_dir(arena, dir, "ca.key");
    bool usable, renewed = false;
    TRY(pair_load(arena, pki.ca_path, ca_key, &pki.ca, &usable));
    if (!usable) {
        TRY(x509_make_ca(arena, S("kubernetes"), &pki.ca));
        TRY(pair_store(&pki.ca, pki.ca_path, ca_key));
        renewed = true;
    }

    /* The server's certificate is made at every start: it costs a millisecond, and always names the address that is served. */
    const struct slice names[] = {S("kubernetes"), S("kubernetes.default"), S("kubernetes.default.svc"), S("kubernetes.default.svc.cluster.local"), S("localhost")};
    const struct slice addresses[] = {address};
    struct x509_leaf_options server = {
        .common_name = S("kube-apiserver"),
        .dns_names = names,
        .dns_name_count = ARRAY_SIZE(names),
        .addresses = addresses,
        .address_count = ARRAY_SIZE(addresses),
    };
    TRY(x509_make_leaf(arena, &pki.ca, &server, &pki.server));
    TRY(pair_store(&pki.server, pki.server_cert_path, pki.server_key_path));

    struct slice admin_cert = in_dir(arena, dir, "admin.crt"), admin_key = in_dir(arena, dir, "admin.key");
    TRY(pair_load(arena, admin_cert, admin_key, &pki.admin, &usable));
    if (!usable || renewed) {
        const struct slice groups[] = {S("system:masters")};
        struct x509_leaf_options admin = {.common_name = S("kubernetes-admin"), .organizations = groups, .organization_count = 1};
        TRY(x509_make_leaf(arena, &pki.ca, &admin, &pki.admin));
        TRY(pair_store(&pki.admin, admin_cert, admin_key));
    }
    *ret_pki = pki;
    return NULL;
}
