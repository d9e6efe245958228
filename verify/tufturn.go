package verify

import "context"

// slot lets one goroutine at a time do something, and whoever waits for it can be
// told to stop, which a mutex cannot.
type slot chan struct{}

func newSlot() slot { return make(slot, 1) }

// take waits for the slot. The error is that of ctx, and then it is not taken.
func (s slot) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// give gives the slot to the next.
func (s slot) give() { <-s }

// turn is one refresh's share of the slot in which answers of mirrors are parsed.
// It is given away while the refresh waits for its mirror, so that one that is
// slow delays no other, and parsers still work on one answer at a time. The zero
// value has no slot and waits for nobody.
type turn struct {
	parsing slot
	held    bool
}

// take waits for the turn; the error is that of ctx.
func (t *turn) take(ctx context.Context) error {
	if t.parsing == nil || t.held {
		return nil
	}
	if err := t.parsing.take(ctx); err != nil {
		return err
	}
	t.held = true
	return nil
}

// give is nothing to who has no turn.
func (t *turn) give() {
	if t.held {
		t.held = false
		t.parsing.give()
	}
}
