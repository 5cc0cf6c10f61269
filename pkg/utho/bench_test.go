package utho

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"testing"
)

// chunks gives a body as a network does, in parts.
type chunks struct{ r *bytes.Reader }

func (c chunks) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), 32<<10)]) }

func decodeList(b []byte) (*envelope, *tokenPayload, error) {
	t := text{}
	body := chunks{bytes.NewReader(b)}
	if t.head, t.end = readHead(body, int64(len(b))); t.end == nil {
		t.rest = body
	}
	return parse(t, func() *tokenPayload {
		return &tokenPayload{size: int64(len(b)), reader: tokenReader{stamps: stampReader{ist}}}
	})
}

// BenchmarkDecodeList is what a list costs beyond the network.
func BenchmarkDecodeList(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		body := manyTokens(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, p, err := decodeList(body); err != nil || len(p.tokens) != n {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecodeStandard is the same by encoding/json, the usual way, to compare in one run.
func BenchmarkDecodeStandard(b *testing.B) {
	body := manyTokens(100_000)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		data, err := io.ReadAll(chunks{bytes.NewReader(body)})
		if err != nil {
			b.Fatal(err)
		}
		var list struct {
			API []struct {
				ID      string `json:"id"`
				Name    string `json:"name"`
				Write   string `json:"write"`
				Created string `json:"created_at"`
			} `json:"api"`
		}
		if err := json.Unmarshal(data, &list); err != nil {
			b.Fatal(err)
		}
	}
}
