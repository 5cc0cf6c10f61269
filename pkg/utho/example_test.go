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

// answer is a stand-in for the service.
func answer(body string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, body)
	}))
}

func ExampleClient_ListTokens() {
	service := answer(`{"status":"success","api":[{"id":10000,"name":"ci","write":"1","created_at":"2024-04-22 01:12:36"}]}`)
	defer service.Close()

	client, err := utho.New("live_test_example", utho.WithBaseURL(service.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
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
	service := answer(`{"status":"success","message":"New API has been created"}`)
	defer service.Close()

	client, err := utho.New("live_test_example", utho.WithBaseURL(service.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	created, err := client.CreateToken(context.Background(), utho.CreateTokenRequest{Name: "ci", Scope: utho.ScopeReadOnly})
	switch {
	case errors.Is(err, utho.ErrOutcomeUnknown):
		fmt.Println("look for it in the list:", err)
	case err != nil:
		fmt.Println("nothing was created:", err)
	default:
		_ = created.Secret // to where it is needed; it is not shown again
	}
	// Output: look for it in the list: create token: outcome unknown: the service says: New API has been created: the answer's apikey is missing
}
