package main

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/utho/utho-cli/internal/sandbox"
)

// cmdSequence pins which requests came since the last one, and by whom: the
// operator (SERVICE_KEY), a token, or nobody, whose secret is refused. Without
// arguments it only forgets what came so far; the word none says that none came.
func cmdSequence(ts *testscript.TestScript, neg bool, args []string) {
	s, want := theService(ts, args)
	if neg {
		ts.Fatalf("usage: sequence [-other] ['WHO METHOD'...]")
	}
	requests := s.faults.Requests()
	var got []string
	for _, r := range requests[s.told:] {
		who := r.By
		switch who {
		case "operator":
		case "":
			who = "nobody"
		default:
			who = "token"
		}
		got = append(got, who+" "+r.Method)
	}
	s.told = len(requests)
	given := len(want) > 0
	if slices.Equal(want, []string{"none"}) {
		want = nil
	}
	if given && !slices.Equal(got, want) {
		ts.Fatalf("requests:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// cmdMade waits until so many creates have taken effect.
func cmdMade(ts *testscript.TestScript, _ bool, args []string) {
	s, args := theService(ts, args)
	if len(args) != 1 {
		ts.Fatalf("usage: made [-other] COUNT")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ts.Check(s.faults.Await(ctx, func(requests []sandbox.Request) bool {
		n := 0
		for _, r := range requests {
			if r.Method == http.MethodPost && r.Effect {
				n++
			}
		}
		return n >= want
	}))
}
