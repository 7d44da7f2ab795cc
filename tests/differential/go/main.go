// client lets the Go SDK do what the lines on its standard input say (see ../calls.py), one JSON object a line:
//
//	client vectors   signs each call and writes the bytes that the SDK would have sent; talks to nobody
//	client call      calls the endpoint and writes what the SDK made of the answer
//
// It knows no operation by name: inputs are filled and outputs are shown by reflection.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/emrcontainers"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// What a line asks for.
type call struct {
	ID        int             `json:"id"`
	Service   string          `json:"service"`
	Operation string          `json:"operation"`
	Params    map[string]any  `json:"params"`
	Mode      mode            `json:"mode"`
	Raw       json.RawMessage `json:"-"`
}

type mode struct {
	Endpoint string `json:"endpoint"`
	Virtual  bool   `json:"virtual"` // S3: the bucket in the host
	Token    string `json:"token"`   // session token
	KeyID    string `json:"key_id"`
	Secret   string `json:"secret"`
	Presign  int    `json:"presign"`  // seconds; 0: no
	Unsigned bool   `json:"unsigned"` // S3: UNSIGNED-PAYLOAD
	Checksum string `json:"checksum"` // "when_required": none by default
}

func configuration(m mode, transport aws.HTTPClient) aws.Config {
	c := aws.Config{
		Region:           "us-east-1",
		Credentials:      credentials.NewStaticCredentialsProvider(m.KeyID, m.Secret, m.Token),
		HTTPClient:       transport,
		RetryMaxAttempts: 1,
		BaseEndpoint:     aws.String(m.Endpoint),
	}
	if m.Checksum == "when_required" {
		c.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	}
	return c
}

func client(service string, m mode, transport aws.HTTPClient) any {
	c := configuration(m, transport)
	switch service {
	case "emr-containers":
		return emrcontainers.NewFromConfig(c)
	case "eks":
		return eks.NewFromConfig(c)
	case "logs":
		return cloudwatchlogs.NewFromConfig(c)
	case "sts":
		return sts.NewFromConfig(c)
	case "s3":
		return s3.NewFromConfig(c, func(o *s3.Options) {
			o.UsePathStyle = !m.Virtual
			if m.Unsigned {
				o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
			}
		})
	}
	return nil
}

// Finds the operation's method, and makes its input.
func prepare(on any, c *call) (reflect.Value, reflect.Value, error) {
	method := reflect.ValueOf(on).MethodByName(c.Operation)
	if !method.IsValid() {
		return method, method, fmt.Errorf("no operation %s", c.Operation)
	}
	input := reflect.New(method.Type().In(1).Elem())
	return method, input, fill(input.Elem(), c.Params)
}

func send(on any, c *call) (any, error) {
	method, input, err := prepare(on, c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	out := method.Call([]reflect.Value{reflect.ValueOf(ctx), input})
	if err, _ := out[1].Interface().(error); err != nil {
		return nil, err
	}
	return show(out[0])
}

// One vector: the request's bytes, or why the SDK would not make it.
func vector(c *call) map[string]any {
	wire := &recorder{}
	on := client(c.Service, c.Mode, wire.client())
	if c.Mode.Presign > 0 {
		return presigned(on, c)
	}
	_, err := send(on, c)
	if wire.bytes == nil {
		return map[string]any{"id": c.ID, "refused": fmt.Sprint(err)}
	}
	return map[string]any{"id": c.ID, "raw": wire.bytes}
}

func presigned(on any, c *call) map[string]any {
	var presigner any
	switch o := on.(type) {
	case *s3.Client:
		presigner = s3.NewPresignClient(o, s3.WithPresignExpires(time.Duration(c.Mode.Presign)*time.Second))
	case *sts.Client:
		presigner = sts.NewPresignClient(o)
	default:
		return map[string]any{"id": c.ID, "refused": "nothing to presign"}
	}
	c.Operation = "Presign" + c.Operation
	method, input, err := prepare(presigner, c)
	if err != nil {
		return map[string]any{"id": c.ID, "refused": err.Error()}
	}
	out := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), input})
	if err, _ := out[1].Interface().(error); err != nil {
		return map[string]any{"id": c.ID, "refused": err.Error()}
	}
	p := out[0].Interface().(*v4.PresignedHTTPRequest)
	u, err := url.Parse(p.URL)
	if err != nil {
		return map[string]any{"id": c.ID, "refused": err.Error()}
	}
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\nHost: %s\r\n", p.Method, u.RequestURI(), u.Host)
	for name, values := range p.SignedHeader {
		for _, value := range values {
			if http.CanonicalHeaderKey(name) != "Host" {
				fmt.Fprintf(&raw, "%s: %s\r\n", name, value)
			}
		}
	}
	raw.WriteString("\r\n")
	if p.SignedHeader.Get("Content-Length") != "" {
		body, _ := bytesOf(c.Params["Body"])
		raw.Write(body)
	}
	return map[string]any{"id": c.ID, "raw": raw.Bytes()}
}

// What the SDK made of one answer.
func answer(c *call) map[string]any {
	out, err := send(client(c.Service, c.Mode, awshttp.NewBuildableClient()), c)
	if err == nil {
		return map[string]any{"id": c.ID, "output": out}
	}
	told := map[string]any{"id": c.ID, "text": err.Error()}
	var api smithy.APIError
	if errors.As(err, &api) {
		told["code"], told["message"], told["type"] = api.ErrorCode(), api.ErrorMessage(), reflect.TypeOf(api).Elem().Name()
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		told["status"], told["request_id"] = response.HTTPStatusCode(), response.ServiceRequestID()
	}
	return told
}

func main() {
	work := map[string]func(*call) map[string]any{"vectors": vector, "call": answer}[append(os.Args, "")[1]]
	if work == nil {
		fmt.Fprintln(os.Stderr, "usage: client vectors|call <CALLS")
		os.Exit(2)
	}
	in, out := bufio.NewReaderSize(os.Stdin, 1<<20), bufio.NewWriter(os.Stdout)
	lines := json.NewDecoder(in)
	lines.UseNumber()
	for lines.More() {
		var c call
		if err := lines.Decode(&c); err != nil {
			fmt.Fprintln(os.Stderr, "client:", err)
			os.Exit(1)
		}
		text, err := json.Marshal(work(&c))
		if err != nil {
			text, _ = json.Marshal(map[string]any{"id": c.ID, "refused": err.Error()})
		}
		out.Write(append(text, '\n'))
		out.Flush() // the other side waits for it before it says the next
	}
}
