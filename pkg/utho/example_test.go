package utho_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/utho/utho-cli/pkg/utho"
)

// clientOf gives a client of a service that gives the same answer to everything.
func clientOf(answer string) *utho.Client {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, answer) }))
	client, err := utho.New("live_example", utho.WithBaseURL(s.URL))
	if err != nil {
		panic(err)
	}
	return client
}

func ExampleClient_ListTokens() {
	client := clientOf(`{"status":"success","api":[{"id":10000,"name":"ci","write":"1","created_at":"2024-04-22 01:12:36"}]}`)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	list, err := client.ListTokens(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range list.Tokens {
		fmt.Println(t.ID, t.Name, t.Scope, t.CreatedAt.Format(time.RFC3339))
	}
	// Output: 10000 ci write 2024-04-22T01:12:36+05:30
}

func ExampleClient_CreateToken() {
	client := clientOf(`{"status":"success","message":"created"}`) // the secret is missing
	request := utho.CreateTokenRequest{Name: "ci", Scope: utho.ScopeReadOnly}
	created, err := client.CreateToken(context.Background(), request)
	switch {
	case errors.Is(err, utho.ErrOutcomeUnknown):
		fmt.Println("look for it in the list:", err)
	case err != nil:
		fmt.Println("nothing was created:", err)
	default:
		_ = created.Secret // to where it is needed; it is not shown again
	}
	// Output: look for it in the list: create token: outcome unknown: the service says: created: the answer's apikey is missing
}
