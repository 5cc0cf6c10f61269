package main

import (
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
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
