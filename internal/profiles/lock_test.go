package profiles

import (
	"context"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
)

// Whoever changes a secret and its profile holds the configuration meanwhile: no other login comes between.
func TestHeldMeanwhile(t *testing.T) {
	start, uses := starts()["file"], 0
	for name, op := range operations(start) {
		w := newWorld(t, start)
		b := w.book(&fault{})
		store := b.Store
		b.Store = func(kind string) auth.Store {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if h, err := config.Hold(ctx, w.paths); err == nil {
				h.Release()
				t.Errorf("%s: a store is used and nothing is held", name)
			}
			uses++
			return store(kind)
		}
		_ = op.run(t.Context(), b) // TestFaults has what becomes of it
	}
	if uses < 10 {
		t.Errorf("%d uses of a store only", uses)
	}
}
