/* Raw requests over a real socket: the exact answers, byte for byte but for the date, and whether the connection lives on. */
#include "base/arena.h"
#include "base/strbuf.h"
#include "http/answers_kit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define R(text) text, sizeof(text) - 1
#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: h\r\n"
#define X8(s) s s s s s s s s
#define X64(s) X8(s) X8(s) X8(s) X8(s) X8(s) X8(s) X8(s) X8(s)

/* clang-format off */
static const struct raw_case cases[] = {
    /* well-formed */
    {R(GET "\r\n"), "200 GET /", true},
    {R("\r\n\r\n" GET "\r\n"), "200 GET /", true},
    {R("GET /a/../b%2F%00?x=1&y HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET /a/../b%2F%00 ?x=1&y", true},
    {R("GET //a?? HTTP/1.1\r\nhOsT:h:80\r\n\r\n"), "200 GET //a ??", true},
    {R("GET http://h/p?q HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET /p ?q", true},
    {R("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET /", true},
    {R("GET HTTPS://h?q HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET / ?q", true},
    {R("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), "200 OPTIONS *", true},
    {R("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "200 GET /", true},
    {R("M-SEARCH / HTTP/1.1\r\nHost: h\r\n\r\n"), "200 M-SEARCH /", true},
    {R("GET /header HTTP/1.1\r\nHost: h\r\nX-Raw: \t a  b\t\r\n\r\n"), "200 [a  b]", true},
    {R("GET /header HTTP/1.1\r\nHost: h\r\nX-Raw:\r\n\r\n"), "200 []", true},
    {R("GET /header HTTP/1.1\r\nHost: h\r\nX-Raw:\xc3\xa9\r\n\r\n"), "200 [\xc3\xa9]", true},
    {R("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "200 GET /", false},
    {R("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n"), "200 GET /", false},
    {R("GET / HTTP/1.0\r\n\r\n"), "200 GET /", false},
    {R("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"), "200 GET /", false},
    {R("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"), "200-6", true},
    {R("GET /204 HTTP/1.1\r\nHost: h\r\n\r\n"), "204", true},
    {R("GET /304 HTTP/1.1\r\nHost: h\r\n\r\n"), "304", true},
    {R("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n"), "500", false},
    {R("GET /split HTTP/1.1\r\nHost: h\r\n\r\n"), "500", true},
    {R("GET /twice HTTP/1.1\r\nHost: h\r\n\r\n"), "200 one", true},
    {R("GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n"), "chunked ab|cde", true},
    {R("GET /chunks HTTP/1.0\r\n\r\n"), "raw abcde", false},
    {R(GET "\r\n" GET "\r\n" "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET /|200 GET /|200 GET /2", true},
    {R("HEAD /chunks HTTP/1.1\r\nHost: h\r\n\r\n"), "head of chunks", true},
    {R("HEAD /ignore HTTP/1.1\r\nHost: h\r\n\r\n" GET "\r\n"), "200-7|200 GET /", true},
    {R("HEAD /204 HTTP/1.1\r\nHost: h\r\n\r\n"), "204", true},
    {R("HEAD /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"), "200-5", true},
    {R("HEAD / HTTP/1.1\r\n\r\n"), "!400-41 there is no Host header", false},
    {R("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET "\r\n"), "200 GET /", false},
    {R("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET "\r\n"), "200 GET /", false},
    {R("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, close\r\n\r\n"), "200 GET /", false},
    {R("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"), "200 GET /", true},
    {R("GET http://h:80/ HTTP/1.1\r\nHost: h:80\r\n\r\n"), "200 GET /", true},
    {R("GET http://H.Example/ HTTP/1.1\r\nHost: h.example\r\n\r\n"), "200 GET /", true},
    {R("GET http://h/ HTTP/1.0\r\n\r\n"), "200 GET /", false},
    {R("GET http://[::1]:80/a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), "200 GET /a", true},
    {R("OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n"), "200 OPTIONS /", true},
    {R("GET /? HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET / ?", true},
    {R("GET /%zz%2 HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET /%zz%2", true},
    {R("GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target has a byte that must be encoded", false},
    {R("GET /\"<>\\^`{} HTTP/1.1\r\nHost: h\r\n\r\n"), "200 GET /\"<>\\^`{}", true},
    {R("GET /header HTTP/1.1\r\nHost: h\r\nX-Raw: a\r\nX-Raw: b\r\n\r\n"), "200 [a]", true},
    {R("GET /header HTTP/1.1\r\nHost: h\r\nX-Raw: a:b: c\r\n\r\n"), "200 [a:b: c]", true},
    {R(GET "X_Under.score~: 1\r\n\r\n"), "200 GET /", true},
    /* ends of the client's side */
    {R(GET "\r\n"), "200+GET /", false, .half_close = true},
    {R("GET / HT"), "", false, .half_close = true},
    {R("\r\n"), "", false, .half_close = true},
    {R(""), "", false, .half_close = true},
    {R(GET "\r\nGET /2 HT"), "200+GET /", false, .half_close = true},
    {R(GET "\r\n" GET "\r\n"), "200+GET /|200+GET /", false, .half_close = true},
    {R(POST "Content-Length: 5\r\n\r\nhello"), "200+hello", false, .half_close = true},
    {R(POST "Content-Length: 5\r\n\r\nhe"), "400 INVALID", false, .half_close = true},
    {R(POST "Content-Length: 50000\r\n\r\nhe"), "400 INVALID", false, .half_close = true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"), "400 INVALID", false, .half_close = true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"), "400 INVALID", false, .half_close = true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "200+hello", false, .half_close = true},
    {R("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe"), "200+ignored", false, .half_close = true},
    {R(POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"), "100|400 INVALID", false, .half_close = true},
    /* bodies */
    {R(POST "Content-Length: 0\r\n\r\n"), "200 ", true},
    {R(POST "Content-Length: 5\r\n\r\nhello"), "200 hello", true},
    {R(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), "200 hello", true},
    {R(POST "Content-Length: 5\r\n\r\nhello" GET "\r\n"), "200 hello|200 GET /", true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "200 hello", true},
    {R(POST "transfer-encoding: CHUNKED\r\n\r\n5;a=\"b\"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-T: y\r\n\r\n" GET "\r\n"),
     "200 hello0123456789|200 GET /", true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "200 ", true},
    {R("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" GET "\r\n"), "200 ignored|200 GET /", true},
    {R("POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "200 ignored", false},
    {R("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nhello"), "200 ignored", false},
    {R("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"), "200 ignored", false},
    {R(POST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n"), "200 ", true},
    {R("POST /echo HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nab"), "200 ab", false},
    {R(POST "Content-Length: 2000000\r\n\r\n"), "413 LIMIT", false},
    {R(POST "Content-Length: 00005\r\n\r\nhello"), "200 hello", true},
    {R(POST "Content-Length:5\t \r\n\r\nhello"), "200 hello", true},
    {R(POST "Content-Length: 5\r\n\r\nhelloPOST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" GET "\r\n"),
     "200 hello|200 x|200 GET /", true},
    {R(POST "Content-Length: 5\r\n\r\nhelloxx"), "200+hello", false, .half_close = true},
    {R(POST "Content-Length: 5\r\n\r\nhello\0"), "200+hello|!400 the head is malformed or too large", false},
    {R("GET /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"), "200 abc", true},
    {R("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 18\r\n\r\nGET /2 HTTP/1.1\r\n\n" GET "\r\n"), "200 GET /|200 GET /", true},
    {R("DELETE /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\t chunked \r\n\r\n1\r\na\r\n0\r\n\r\n"), "200 a", true},
    {R("POST /echo HTTP/1.0\r\n\r\n"), "200 ", false},
    {R("POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc" GET "\r\n"), "200 abc", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n000000000000005\r\nhello\r\n0\r\n\r\n"), "200 hello", true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0;b=c;d\r\n\r\n"), "200 hello", true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nX: y\r\nZ:\r\n\r\n" GET "\r\n"), "200 abc|200 GET /", true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n" GET "\r\n"), "200 |200 GET /", true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0000000000000005\r\nhello\r\n0\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\nhello"), "400 INVALID", false, .half_close = true},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\t\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\rhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\0\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5,5\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5;\x01\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n;a\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r0\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n\r\n0\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX y\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\n: y\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n z\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\rz\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: \0\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\rGET / HTTP/1.1\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\nz\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"), "400 INVALID", false},
    {R(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\nb\r\n\r\n"), "400 INVALID", false},
    /* framing that two readers could read in two ways */
    {R(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "!400 there are both Content-Length and Transfer-Encoding", false},
    {R(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), "!400 there are two different Content-Length headers", false},
    {R(POST "Content-Length: 5, 5\r\n\r\nhello"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: +5\r\n\r\nhello"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: -5\r\n\r\n"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: 0x5\r\n\r\n"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length:\r\n\r\n"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: 99999999999999999999\r\n\r\n"), "!400 Content-Length is no number", false},
    {R(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"), "!400 there are both Content-Length and Transfer-Encoding", false},
    {R(POST "Content-Length: 5\r\ncontent-length: 05\r\n\r\nhello"), "200 hello", true},
    {R(POST "Content-Length: 0\r\nContent-Length: 44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 there are two different Content-Length headers", false},
    {R(POST "Content-Length: 5 5\r\n\r\nhello"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: 5;\r\n\r\nhello"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: 5.0\r\n\r\nhello"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: \"5\"\r\n\r\nhello"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: 9223372036854775808\r\n\r\n"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: 18446744073709551621\r\n\r\nhello"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: 999999999999999999\r\n\r\n"), "413 LIMIT", false},
    {R(POST "Content-Length : 5\r\n\r\nhello"), "!400 a header's name has a byte that no name may have", false},
    {R(POST "Content-Length\t: 5\r\n\r\nhello"), "!400 a header's name has a byte that no name may have", false},
    {R(POST " Content-Length: 5\r\n\r\nhello"), "!400 a header goes on over two lines", false},
    {R(POST "Content-Length:\r\n 5\r\n\r\nhello"), "!400 Content-Length is no number", false},
    {R(POST "Content-Length: 5\n\r\nhello"), "!400 the head is malformed or too large", false},
    {R(POST "Content-Length\0: 5\r\n\r\nhello"), "!400 the head is malformed or too large", false},
    {R(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), "!400 a header's name has a byte that no name may have", false},
    {R(POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n"), "!400 a header goes on over two lines", false},
    {R(POST "Transfer-Encoding:\r\n chunked\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding:\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: xchunked\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: chunked;q=1\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: chunked, identity\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: chunked,\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: chunked\0\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R(POST "Transfer-Encoding: chun\rked\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R(POST "Transfer-Encoding: identity\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), "!400 Transfer-Encoding is not exactly chunked", false},
    {R(POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n"), "!400 a header's value has a control byte", false},
    {R("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "!400 HTTP/1.0 has no Transfer-Encoding", false},
    {R("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), "!400 there are two Host headers", false},
    {R("GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n"), "!400 there are two Host headers", false},
    {R("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), "!400 the Host header is no host", false},
    {R("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), "!400 the Host header is no host", false},
    {R("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), "!400 a header's name has a byte that no name may have", false},
    {R("GET https://other:1/ HTTP/1.1\r\nHost: other\r\n\r\n"), "!400 the Host header is not the request target's host", false},
    {R("GET http://h/ HTTP/1.1\r\n\r\n"), "!400 there is no Host header", false},
    {R("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), "!400 the Host header is no host", false},
    {R("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), "!400 the Host header is no host", false},
    {R("GET / HTTP/1.1\r\n\r\n"), "!400 there is no Host header", false},
    {R("GET http://other/ HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the Host header is not the request target's host", false},
    {R("GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target's host is none", false},
    {R("GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target's host is none", false},
    {R(GET "Foo : b\r\n\r\n"), "!400 a header's name has a byte that no name may have", false},
    {R(GET " Foo: b\r\n\r\n"), "!400 a header goes on over two lines", false},
    {R(GET "Foo: b\r\n\tc\r\n\r\n"), "!400 a header goes on over two lines", false},
    {R(GET "Foo\r\n\r\n"), "!400 a header has no colon", false},
    {R(GET ": b\r\n\r\n"), "!400 a header's name has a byte that no name may have", false},
    {R(GET "F\xc3\xa9: b\r\n\r\n"), "!400 a header's name has a byte that no name may have", false},
    {R(GET "Foo: a\x7f\r\n\r\n"), "!400 a header's value has a control byte", false},
    {R(GET "Foo: a\0b\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R(GET "Foo:\rTransfer-Encoding: chunked\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R(GET "Foo: a\nBar: b\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R("GET / HTTP/1.1\nHost: h\n\n"), "!400 the head is malformed or too large", false},
    {R(" GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R("\x16\x03\x01\x02"), "!400 the head is malformed or too large", false},
    {R("\r\n\r\n\r\n" GET "\r\n"), "!400 the request line has no method", false},
    {R("\n" GET "\r\n"), "!400 the head is malformed or too large", false},
    {R("\r" GET "\r\n"), "!400 the head is malformed or too large", false},
    {R("\0" GET "\r\n"), "!400 the head is malformed or too large", false},
    {R("\x80\x01\x02"), "!400 the head is malformed or too large", false},
    {R(GET "Foo: b\r\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R(GET "Foo: b\n\r\n"), "!400 the head is malformed or too large", false},
    {R(GET "Foo: \x01\r\n\r\n"), "!400 a header's value has a control byte", false},
    {R(GET "Foo: \x1b[2J\r\n\r\n"), "!400 a header's value has a control byte", false},
    {R(GET "\tFoo: b\r\n\r\n"), "!400 a header goes on over two lines", false},
    {R(GET "Fo o: b\r\n\r\n"), "!400 a header's name has a byte that no name may have", false},
    {R(GET "Fo(o: b\r\n\r\n"), "!400 a header's name has a byte that no name may have", false},
    {R("GET / HTTP/1.1\r\n Host: h\r\n\r\n"), "!400 a header goes on over two lines", false},
    /* request lines */
    {R("GET\r\nHost: h\r\n\r\n"), "!400 the request line has no method", false},
    {R("GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request line has no method", false},
    {R("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n"), "!400 the head is malformed or too large", false},
    {R("GET / HTTP/1.12\r\nHost: h\r\n\r\n"), "!400 the request line's version is none", false},
    {R("GET / HTTP/1.\r\nHost: h\r\n\r\n"), "!400 the request line's version is none", false},
    {R("GET / HTTPS/1.1\r\nHost: h\r\n\r\n"), "!400 the request line's version is none", false},
    {R("GET / HTTP/1.2\r\nHost: h\r\n\r\n"), "!505 only HTTP/1.0 and HTTP/1.1 are spoken here", false},
    {R("GET / HTTP/0.9\r\nHost: h\r\n\r\n"), "!505 only HTTP/1.0 and HTTP/1.1 are spoken here", false},
    {R("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request line's version is none", false},
    {R("GET a HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target is neither a path nor an absolute URL", false},
    {R("GET \\a HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target is neither a path nor an absolute URL", false},
    {R("GET ?a HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target is neither a path nor an absolute URL", false},
    {R("GET http: HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target is neither a path nor an absolute URL", false},
    {R("OPTIONS *a HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target is neither a path nor an absolute URL", false},
    {R("GET /a\x7f HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target has a byte that must be encoded", false},
    {R("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request line has no method", false},
    {R(POST "Content-Length: 3\r\nExpect: 100-continue, x\r\n\r\n"), "!417 only 100-continue can be expected", false},
    {R(POST "Content-Length: 3\r\nExpect:\r\n\r\n"), "!417 only 100-continue can be expected", false},
    {R("GET /\r\nHost: h\r\n\r\n"), "!400 the request line must be method, target and version", false},
    {R("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request line must be method, target and version", false},
    {R("GET / HTTP/1.1 \r\nHost: h\r\n\r\n"), "!400 the request line's version is none", false},
    {R("GET / http/1.1\r\nHost: h\r\n\r\n"), "!400 the request line's version is none", false},
    {R("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), "!505 only HTTP/1.0 and HTTP/1.1 are spoken here", false},
    {R("PRI * HTTP/2.0\r\n\r\n"), "!505 only HTTP/1.0 and HTTP/1.1 are spoken here", false},
    {R("GE(T / HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request line has no method", false},
    {R("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target has a byte that must be encoded", false},
    {R("GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target has a byte that must be encoded", false},
    {R("GET * HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target * is for OPTIONS", false},
    {R("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target is neither a path nor an absolute URL", false},
    {R("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"), "!400 the request target is neither a path nor an absolute URL", false},
    {R(POST "Content-Length: 3\r\nExpect: 200-ok\r\n\r\n"), "!417 only 100-continue can be expected", false},
    {R(GET X64("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") "C: d\r\nC: d\r\nC: d\r\n\r\n"), "200 GET /", true},
    {R(GET X64("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") X8("A: b\r\n") "C: d\r\nC: d\r\nC: d\r\nC: d\r\n\r\n"),
     "!431 there are more than 100 headers", false},
};
/* clang-format on */

static void test_raw_requests_get_their_exact_answers(void **state)
{
    struct http_server *server = kit_start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        kit_check_case(server, &cases[i], 0);
    http_server_stop(server, 1000);
}

static void test_raw_requests_that_arrive_byte_by_byte_get_the_same(void **state)
{
    struct http_server *server = kit_start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct raw_case *c = &cases[i];
        if (c->len > 300)
            continue;
        int fd = kit_dial(server);
        for (size_t at = 0; at < c->len; at++)
            kit_say(fd, slice_of(c->request + at, 1));
        if (c->half_close)
            shutdown(fd, SHUT_WR);
        kit_hear(fd, slice_of(c->request, c->len), c->answers, c->open);
        kit_check_after(fd, slice_of(c->request, c->len), c->open);
        close(fd);
    }
    http_server_stop(server, 1000);
}

/* The server has looked at the first piece before the second is sent. */
static void test_raw_requests_in_two_pieces_get_the_same_wherever_they_are_cut(void **state)
{
    struct http_server *server = kit_start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i += cases[i].len < 80 ? 2 : 5)
        for (size_t split = 1; split < cases[i].len && cases[i].len <= 300; split++)
            kit_check_case(server, &cases[i], split);
    http_server_stop(server, 1000);
}

static void test_heads_that_are_too_large_are_refused(void **state)
{
    struct http_server *server = kit_start();
    struct strbuf text = STRBUF_HEAP;
    strbuf_append(&text, S("GET /"));
    for (int i = 0; i < 70000; i++)
        strbuf_append_char(&text, 'a');
    kit_check_case(server, &(struct raw_case){text.ptr, text.len, "!414 the head is malformed or too large", false}, 0);
    strbuf_truncate(&text, 40000);
    strbuf_append(&text, S(" HTTP/1.1\r\nHost: h\r\n\r\n"));
    kit_check_case(server, &(struct raw_case){text.ptr, text.len, "!414 the request target is too long", false}, 0);
    strbuf_truncate(&text, 0);
    strbuf_append(&text, S(GET "X: "));
    for (int i = 0; i < 70000; i++)
        strbuf_append_char(&text, 'a');
    kit_check_case(server, &(struct raw_case){text.ptr, text.len, "!431 the head is malformed or too large", false}, 0);
    strbuf_truncate(&text, 60000);
    strbuf_append(&text, S("\r\n\r\n"));
    kit_check_case(server, &(struct raw_case){text.ptr, text.len, "200 GET /", true}, 0);
    strbuf_deinit(&text);
    http_server_stop(server, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw_requests_get_their_exact_answers),
        cmocka_unit_test(test_raw_requests_that_arrive_byte_by_byte_get_the_same),
        cmocka_unit_test(test_raw_requests_in_two_pieces_get_the_same_wherever_they_are_cut),
        cmocka_unit_test(test_heads_that_are_too_large_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
