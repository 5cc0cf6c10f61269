// Package utho is a client for the API tokens of the Utho cloud: it lists, creates and deletes them, and reads which
// account a token belongs to. It needs nothing but the standard library.
//
//	client, err := utho.New(os.Getenv("UTHO_API_KEY"))
//	if err != nil {
//		return err
//	}
//	list, err := client.ListTokens(ctx)
//	if errors.Is(err, utho.ErrUnauthorized) {
//		return fmt.Errorf("the token is wrong or was deleted: %w", err)
//	}
//
// # What it takes care of
//
// The service answers a failure with HTTP 200, puts warnings before its JSON, and spells a value as a string today and
// a number tomorrow. All of that ends here: an answer becomes the types below or an error that names the field which
// could not be read. The scope of a token is never guessed.
//
// Lists, account reads and deletes are sent again after lost connections and 429, 502, 503 and 504, with growing,
// jittered pauses, inside the deadline of the context: see [RetryPolicy]. That deadline is the only limit of time there
// is, so give the context one.
//
// # Creating a token
//
// The service shows a secret once and knows no idempotency key. So [Client.CreateToken] is sent again only if the first
// request cannot have had an effect, and its errors fall in two classes:
//
//   - errors.Is(err, [ErrOutcomeUnknown]): there may be a new token whose secret is lost; look for it with
//     [Client.ListTokens];
//   - any other error: nothing was created.
//
// # Secrets
//
// No error, no [Exchange], and nothing that fmt, log/slog or encoding/json make of a value of this package carries the
// client's secret or one that it received. A secret goes only to the base URL, over https, or over http to the machine
// itself; redirects are not followed.
//
// The texts of errors hold what the service said. They are as trustworthy as the service: make control characters
// harmless before showing them on a terminal.
package utho
