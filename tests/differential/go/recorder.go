package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// The far end of one request, in memory: keeps its bytes as they came, and answers 500. An https endpoint gets no TLS here: the
// SDK signs otherwise for it all the same.
type recorder struct {
	bytes []byte
}

func (r *recorder) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go r.serve(far)
	return near, nil
}

func (r *recorder) client() *http.Client {
	return &http.Client{Transport: &closing{transport: &http.Transport{DialContext: r.dial, DialTLSContext: r.dial, DisableKeepAlives: false}}}
}

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	var copied bytes.Buffer
	request, err := http.ReadRequest(bufio.NewReaderSize(io.TeeReader(conn, &copied), 1))
	if err != nil {
		return
	}
	if strings.EqualFold(request.Header.Get("Expect"), "100-continue") {
		io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return
	}
	r.bytes = append([]byte{}, copied.Bytes()...)
	io.WriteString(conn, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

// Ends the transport's connections with the answer: there are thousands of calls.
type closing struct {
	transport *http.Transport
	lock      sync.Mutex
}

func (c *closing) RoundTrip(request *http.Request) (*http.Response, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	defer c.transport.CloseIdleConnections()
	return c.transport.RoundTrip(request)
}
