/* record: the exchanges of this process as JSON lines, for tests that hold them against the services' models. Only in builds with
 * the sanitizers (EMBER_RECORDER, set by meson.build), and there only while EMBER_RECORD names a folder that exists: a file
 * PID-START.jsonl in it, one write a line. Signatures, tokens and secret keys are struck out. Any thread. */
#pragma once
#include "aws/message.h"
#include "http/message.h"

struct http_request;

struct exchange {
    const struct http_request *http;
    struct slice service;   /* "emr-containers" */
    struct slice operation; /* absent: none was found */
    struct slice principal; /* who asked; absent: nobody known */
    struct slice request_body; /* absent: none was read, or it was streamed */
    int status;
    const struct http_header *headers; /* of the answer; the server's own (Date, Content-Length) are not among them */
    size_t header_count;
    struct slice body;
    bool streamed; /* the operation sent the answer's body itself */
};

#ifdef EMBER_RECORDER
void edge_record(const struct exchange *exchange);
#else
static inline void edge_record(const struct exchange *exchange)
{
    (void)exchange;
}
#endif
