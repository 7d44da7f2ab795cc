/* tls: see tls.h. Errors of one session never touch another: OpenSSL's per-thread error queue is cleared around each
 * call. */
#include "base/tls.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

struct tls_context {
    SSL_CTX *ctx;
};

struct tls_session {
    SSL *ssl;
    bool broken;
};

static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason ? reason : "unknown reason";
}

static struct err *file_err(const char *what, const char *path)
{
    return err_new(ERR_INVALID, "TLS: %s %s cannot be used: %s", what, path, openssl_reason());
}

/* Certificates are for proving who a client is, and a server that gets none still serves (as anonymous); one that does
 * not verify ends the handshake: that is OpenSSL's rule for SSL_VERIFY_PEER without FAIL_IF_NO_PEER_CERT. */
static struct err *context_load(SSL_CTX *ctx, const struct tls_context_options *options)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, options->cert_path) != 1)
        return file_err("certificate", options->cert_path);
    if (SSL_CTX_use_PrivateKey_file(ctx, options->key_path, SSL_FILETYPE_PEM) != 1)
        return file_err("key", options->key_path);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return file_err("key does not belong to the certificate:", options->key_path);
    if (options->client_ca_path) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(options->client_ca_path);
        if (!names)
            return file_err("client CA", options->client_ca_path);
        SSL_CTX_set_client_CA_list(ctx, names);
        if (SSL_CTX_load_verify_file(ctx, options->client_ca_path) != 1)
            return file_err("client CA", options->client_ca_path);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    return NULL;
}

/* HTTP/1.1 is all we speak: a client that offers only h2 gets no ALPN answer and may decide itself. */
static int alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *arg)
{
    static const unsigned char http11[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, http11, sizeof(http11) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

struct err *tls_context_new(const struct tls_context_options *options, struct tls_context **ret_context)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return err_new(ERR_INTERNAL, "TLS: no context: %s", openssl_reason());
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* RELEASE_BUFFERS: an idle connection gives its 34 KiB back. */
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets cost us no memory */
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_alpn_select_cb(ctx, alpn_choose, NULL);
    static const unsigned char id[] = "ember";
    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
    struct err *e = context_load(ctx, options);
    if (e) {
        SSL_CTX_free(ctx);
        return e;
    }
    struct tls_context *context = xmalloc(sizeof(*context));
    context->ctx = ctx;
    *ret_context = context;
    return NULL;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ctx);
    free(context);
}

struct tls_session *tls_session_new(struct tls_context *context, int fd)
{
    struct tls_session *session = xcalloc(1, sizeof(*session));
    session->ssl = SSL_new(context->ctx);
    if (!session->ssl || SSL_set_fd(session->ssl, fd) != 1)
        abort(); /* only for lack of memory */
    SSL_set_accept_state(session->ssl);
    return session;
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    SSL_free(session->ssl);
    ERR_clear_error();
    free(session);
}

static enum tls_result session_result(struct tls_session *session, int returned)
{
    int code = SSL_get_error(session->ssl, returned);
    ERR_clear_error();
    if (code == SSL_ERROR_WANT_READ)
        return TLS_WANT_READ;
    if (code == SSL_ERROR_WANT_WRITE)
        return TLS_WANT_WRITE;
    if (code == SSL_ERROR_ZERO_RETURN)
        return TLS_EOF;
    session->broken = true;
    return TLS_BROKEN;
}

enum tls_result tls_handshake(struct tls_session *session)
{
    ERR_clear_error();
    int r = SSL_do_handshake(session->ssl);
    return r == 1 ? TLS_OK : session_result(session, r);
}

enum tls_result tls_read(struct tls_session *session, void *buf, size_t cap, size_t *ret_len)
{
    if (session->broken)
        return TLS_BROKEN;
    ERR_clear_error();
    size_t got = 0;
    int r = SSL_read_ex(session->ssl, buf, cap, &got);
    if (r != 1)
        return session_result(session, r);
    *ret_len = got;
    return TLS_OK;
}

enum tls_result tls_write(struct tls_session *session, const void *data, size_t len, size_t *ret_len)
{
    if (session->broken)
        return TLS_BROKEN;
    ERR_clear_error();
    size_t sent = 0;
    int r = SSL_write_ex(session->ssl, data, len, &sent);
    if (r != 1)
        return session_result(session, r);
    *ret_len = sent;
    return TLS_OK;
}

bool tls_pending(const struct tls_session *session)
{
    return SSL_has_pending(session->ssl) == 1;
}

void tls_shutdown(struct tls_session *session)
{
    if (session->broken || !SSL_is_init_finished(session->ssl))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(session->ssl);
    ERR_clear_error();
}

static bool name_entry_text(X509_NAME *name, int at, struct arena *arena, struct slice *ret_text)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (len < 0)
        return false;
    struct slice text = slice_dup(arena, slice_of((const char *)utf8, (size_t)len));
    OPENSSL_free(utf8);
    *ret_text = text;
    return !slice_has_nul(text) && slice_index(text, '\n') < 0;
}

bool tls_peer_subject(struct tls_session *session, struct arena *arena, struct slice *ret_common_name,
                      struct slice *ret_organizations)
{
    X509 *cert = SSL_get0_peer_certificate(session->ssl);
    if (!cert || SSL_get_verify_result(session->ssl) != X509_V_OK)
        return false;
    X509_NAME *name = X509_get_subject_name(cert);
    struct strbuf organizations = STRBUF_ARENA(arena);
    struct slice common_name = S(""), text;
    int at = -1;
    while ((at = X509_NAME_get_index_by_NID(name, NID_organizationName, at)) >= 0) {
        if (!name_entry_text(name, at, arena, &text))
            return false;
        if (organizations.len)
            strbuf_append_char(&organizations, '\n');
        strbuf_append(&organizations, text);
    }
    at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at >= 0 && !name_entry_text(name, at, arena, &common_name))
        return false;
    *ret_common_name = common_name;
    *ret_organizations = strbuf_slice(&organizations);
    return true;
}
