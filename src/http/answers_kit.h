/* answers_kit: for the tests of the server: a handler of many answers, a socket, and a short language of what must be heard on it:
 *   "200 BODY"    an answer of the handler that keeps the connection, or ends it when it is the last one of a row that is not open
 *   "200+BODY"    the same, and it says keep-alive in any case
 *   "200-LENGTH"  the same without its body
 *   "!400 WHY"    the server's own refusal; "!400-LENGTH" without its body
 *   "100"         the interim answer
 * with '|' between several. Dates are not compared. */
#pragma once
#include "base/strbuf.h"
#include "http/server.h"

/* request; answers; open: the connection may be used again. */
struct raw_case {
    const char *request;
    size_t len;
    const char *answers;
    bool open;
    bool half_close; /* the client ends its side behind the request */
};

void kit_handle(struct http_request *request, void *ctx);
struct http_server *kit_start(void);
int kit_dial(const struct http_server *server);
int kit_dial_port(uint16_t port);
void kit_say(int fd, struct slice bytes); /* the peer may have closed */
/* Fails unless exactly these answers come. title: of the row, for the message. */
void kit_hear(int fd, struct slice title, const char *answers, bool open);
void kit_hear_nothing(const struct http_server *server, int fd, struct slice title);
/* Proves that the connection is open (by one more request) or that the server ended it. */
void kit_check_after(int fd, struct slice title, bool open);
/* When this returns the server has seen what was sent before on any connection. */
void kit_barrier(const struct http_server *server);
/* The request whole, or in two pieces with the server looking in between (split > 0). */
void kit_check_case(const struct http_server *server, const struct raw_case *c, size_t split);
