#include "base/x509.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/strbuf.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { TEN_YEARS_DAYS = 3650 };

static void pkey_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void cert_freep(X509 **cert)
{
    X509_free(*cert);
}

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

static struct err *openssl_err(const char *what)
{
    char text[200] = "unknown";
    unsigned long code = ERR_get_error();
    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return err_new(ERR_INTERNAL, "%s: %s", what, text);
}

static struct slice bio_text(struct arena *arena, BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    return slice_dup(arena, slice_of(data, (size_t)len));
}

static struct err *pair_to_pem(struct arena *arena, X509 *cert, EVP_PKEY *key, struct x509_pair *ret_pair)
{
    _cleanup_(bio_freep) BIO *cert_bio = BIO_new(BIO_s_mem());
    _cleanup_(bio_freep) BIO *key_bio = BIO_new(BIO_s_secmem());
    if (!cert_bio || !key_bio || !PEM_write_bio_X509(cert_bio, cert) ||
        !PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL))
        return openssl_err("cannot write a certificate");
    *ret_pair = (struct x509_pair){.cert_pem = bio_text(arena, cert_bio), .key_pem = bio_text(arena, key_bio)};
    return NULL;
}

static struct err *cert_from_pem(struct slice pem, X509 **ret_cert)
{
    _cleanup_(bio_freep) BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    if (!cert)
        return openssl_err("not a certificate");
    *ret_cert = cert;
    return NULL;
}

static struct err *key_from_pem(struct slice pem, EVP_PKEY **ret_key)
{
    _cleanup_(bio_freep) BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    if (!key)
        return openssl_err("not a private key");
    *ret_key = key;
    return NULL;
}

static bool name_add(X509_NAME *name, const char *field, struct slice value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value.ptr, (int)value.len, -1, 0) == 1;
}

static bool extension_add(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (!extension)
        return false;
    bool added = X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/* Version, serial, validity (from an hour ago: clocks differ), key. */
static bool cert_begin(X509 *cert, EVP_PKEY *key, int valid_days)
{
    unsigned char serial[16];
    random_bytes(serial, sizeof(serial));
    serial[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok && X509_set_version(cert, X509_VERSION_3) && X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), valid_days, 0, NULL) && X509_set_pubkey(cert, key);
}

struct err *x509_make_ca(struct arena *arena, struct slice common_name, struct x509_pair *ret_ca)
{
    _cleanup_(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(cert_freep) X509 *cert = X509_new();
    if (!key || !cert || !cert_begin(cert, key, TEN_YEARS_DAYS) || !name_add(X509_get_subject_name(cert), "CN", common_name) ||
        !X509_set_issuer_name(cert, X509_get_subject_name(cert)) ||
        !extension_add(cert, cert, NID_basic_constraints, "critical,CA:TRUE") ||
        !extension_add(cert, cert, NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign") ||
        !extension_add(cert, cert, NID_subject_key_identifier, "hash") || !X509_sign(cert, key, EVP_sha256()))
        return openssl_err("cannot make a certificate authority");
    return pair_to_pem(arena, cert, key, ret_ca);
}

/* "DNS:a,IP:b": names of ours, never a comma in them. */
static struct slice alternative_names(struct arena *arena, const struct x509_leaf_options *options)
{
    struct strbuf names = STRBUF_ARENA(arena);
    for (size_t i = 0; i < options->dns_name_count; i++)
        strbuf_append_fmt(&names, "%sDNS:%.*s", names.len ? "," : "", SLICE_ARG(options->dns_names[i]));
    for (size_t i = 0; i < options->address_count; i++)
        strbuf_append_fmt(&names, "%sIP:%.*s", names.len ? "," : "", SLICE_ARG(options->addresses[i]));
    return strbuf_slice(&names);
}

struct err *x509_make_leaf(struct arena *arena, const struct x509_pair *ca, const struct x509_leaf_options *options,
                           struct x509_pair *ret_leaf)
{
    _cleanup_(cert_freep) X509 *ca_cert = NULL;
    _cleanup_(pkey_freep) EVP_PKEY *ca_key = NULL;
    TRY(cert_from_pem(ca->cert_pem, &ca_cert));
    TRY(key_from_pem(ca->key_pem, &ca_key));

    _cleanup_(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(cert_freep) X509 *cert = X509_new();
    if (!key || !cert || !cert_begin(cert, key, options->valid_days ? options->valid_days : TEN_YEARS_DAYS))
        return openssl_err("cannot make a certificate");
    X509_NAME *subject = X509_get_subject_name(cert);
    bool ok = true;
    for (size_t i = 0; i < options->organization_count; i++)
        ok = ok && name_add(subject, "O", options->organizations[i]);
    ok = ok && name_add(subject, "CN", options->common_name) && X509_set_issuer_name(cert, X509_get_subject_name(ca_cert));

    struct slice names = alternative_names(arena, options);
    ok = ok && extension_add(cert, ca_cert, NID_basic_constraints, "critical,CA:FALSE") &&
         extension_add(cert, ca_cert, NID_key_usage, "critical,digitalSignature,keyEncipherment") &&
         extension_add(cert, ca_cert, NID_ext_key_usage, names.len ? "serverAuth" : "clientAuth") &&
         extension_add(cert, ca_cert, NID_authority_key_identifier, "keyid") &&
         (!names.len || extension_add(cert, ca_cert, NID_subject_alt_name, names.ptr)) && X509_sign(cert, ca_key, EVP_sha256());
    if (!ok)
        return openssl_err("cannot make a certificate");
    return pair_to_pem(arena, cert, key, ret_leaf);
}

bool x509_usable(const struct x509_pair *pair, struct instant than)
{
    _cleanup_(cert_freep) X509 *cert = NULL;
    _cleanup_(pkey_freep) EVP_PKEY *key = NULL;
    struct err *e = cert_from_pem(pair->cert_pem, &cert);
    if (!e)
        e = key_from_pem(pair->key_pem, &key);
    if (e) {
        err_free(e);
        return false;
    }
    time_t moment = (time_t)(than.ms / 1000);
    return X509_cmp_time(X509_get0_notAfter(cert), &moment) > 0 && X509_check_private_key(cert, key) == 1;
}

struct err *x509_ends_at(struct slice cert_pem, struct instant *ret_end)
{
    _cleanup_(cert_freep) X509 *cert = NULL;
    struct tm tm = {0};
    TRY(cert_from_pem(cert_pem, &cert));
    if (!ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm))
        return openssl_err("cannot read the end of a certificate");
    ret_end->ms = (int64_t)timegm(&tm) * 1000;
    return NULL;
}
