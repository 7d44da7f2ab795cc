/* tls: OpenSSL's TLS for the HTTP server: non-blocking, over a socket that the caller owns and polls. TLS 1.2 and 1.3.
 * A context is shared by any threads once made; a session belongs to one thread at a time. */
#pragma once
#include "base/err.h"

struct arena;
struct tls_context;
struct tls_session;

struct tls_context_options {
    const char *cert_path, *key_path; /* PEM; cert_path may hold the chain */
    const char *client_ca_path; /* PEM; clients may (need not) show a certificate signed by it. NULL: none asked for */
};

/* ERR_NOT_FOUND / ERR_INVALID: a file is missing or is not what it should be (message names it). */
struct err *tls_context_new(const struct tls_context_options *options, struct tls_context **ret_context) NODISCARD;
/* Sessions that were made of it go on. */
void tls_context_free(struct tls_context *context);

/* Server side of a connection on fd (non-blocking; not closed by tls_session_free). */
struct tls_session *tls_session_new(struct tls_context *context, int fd);
void tls_session_free(struct tls_session *session);

enum tls_result {
    TLS_OK,
    TLS_WANT_READ,  /* poll for readable, call again with the same arguments */
    TLS_WANT_WRITE, /* poll for writable, call again with the same arguments */
    TLS_EOF,        /* the peer ended cleanly (close_notify) or closed the socket */
    TLS_BROKEN,     /* the session is of no more use */
};

enum tls_result tls_handshake(struct tls_session *session);
enum tls_result tls_read(struct tls_session *session, void *buf, size_t cap, size_t *ret_len);
/* May take a part; cap of one call is what it likes. */
enum tls_result tls_write(struct tls_session *session, const void *data, size_t len, size_t *ret_len);
bool tls_pending(
    const struct tls_session *session); /* decrypted or buffered bytes are there without the socket being readable */
void tls_shutdown(struct tls_session *session); /* sends close_notify if it fits; never blocks */

/* Subject of the verified client certificate; false when there is none. Organizations are joined by '\n'. A certificate
 * with NUL or a line feed inside a name is treated as none. */
bool tls_peer_subject(struct tls_session *session, struct arena *arena, struct slice *ret_common_name,
                      struct slice *ret_organizations);
