// minio signs uploads by minio's signer, which S3 clients other than AWS's use (chunks with and without signatures, trailers, URLs
// of both versions): for ../../vectors.py, which wants
// one JSON object a line. It reads nothing of the calls; keys are those of ../../calls.py, told by the environment.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"crypto/sha1"

	"github.com/minio/minio-go/v7/pkg/signer"
)

type sha256Hasher struct{ hash.Hash }

func (sha256Hasher) Close() {}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func checksum(kind string, data []byte) string {
	var h hash.Hash
	switch kind {
	case "crc32":
		h = crc32.NewIEEE()
	case "crc32c":
		h = crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "sha1":
		h = sha1.New()
	default:
		h = sha256.New()
	}
	h.Write(data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func signed(path string, data []byte, kind string, unsigned bool) []byte {
	request, err := http.NewRequest(http.MethodPut, "http://127.0.0.1:4567"+path, bytes.NewReader(data))
	must(err)
	request.Header.Set("Content-Type", "application/octet-stream")
	if kind != "" {
		request.Trailer = http.Header{"X-Amz-Checksum-" + strings.ToUpper(kind[:1]) + kind[1:]: {checksum(kind, data)}}
	}
	token := ""
	if len(data)%2 == 1 {
		token = os.Getenv("SESSION_TOKEN")
	}
	key, secret := os.Getenv("KEY_ID"), os.Getenv("SECRET")
	if token != "" {
		key, secret = os.Getenv("SESSION_ID"), os.Getenv("SESSION_SECRET")
	}
	if unsigned {
		trailer := request.Trailer
		request.Trailer = nil
		request.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		return written(signer.SignV4Trailer(*request, key, secret, token, "us-east-1", trailer))
	}
	return written(signer.StreamingSignV4(request, key, secret, token, "us-east-1", int64(len(data)), time.Now().UTC(), sha256Hasher{sha256.New()}))
}

func written(request *http.Request) []byte {
	body, err := io.ReadAll(request.Body)
	must(err)
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\nHost: %s\r\n", request.Method, request.URL.RequestURI(), request.Host)
	request.Header.Set("Content-Length", fmt.Sprint(len(body)))
	must(request.Header.Write(&raw))
	raw.WriteString("\r\n")
	raw.Write(body)
	return raw.Bytes()
}

func presigned(path string, version2 bool) []byte {
	request, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:4567"+path, http.NoBody)
	must(err)
	key, secret := os.Getenv("KEY_ID"), os.Getenv("SECRET")
	if version2 {
		return written(signer.PreSignV2(*request, key, secret, 3600, false))
	}
	return written(signer.PreSignV4(*request, key, secret, "", "us-east-1", 3600))
}

func main() {
	out := json.NewEncoder(os.Stdout)
	id := 1 << 20
	for _, path := range []string{"/bucket/key", "/b/%C5%BE%20%2B", "/b/a//b/../c"} {
		for _, kind := range []string{"", "crc32", "crc32c", "sha1", "sha256"} {
			for _, size := range []int{0, 1, 8191, 65536, 65537, 200001} {
				data := bytes.Repeat([]byte{byte('a' + size%26)}, size)
				must(out.Encode(map[string]any{"id": id, "service": "s3", "operation": "PutObject", "raw": signed(path, data, kind, false)}))
				id++
				if kind != "" {
					must(out.Encode(map[string]any{"id": id, "service": "s3", "operation": "PutObject", "raw": signed(path, data, kind, true)}))
					id++
				}
			}
		}
		for _, version2 := range []bool{false, true} {
			must(out.Encode(map[string]any{"id": id, "service": "s3", "operation": "GetObject", "raw": presigned(path+"?versionId=a%20b&response-content-type=text/plain", version2)}))
			id++
		}
	}
}
