package proxy

import (
	"fmt"
	"io"
	"sync"
)

const bufferBytes = 64 << 10

var buffers = sync.Pool{New: func() any { return new([bufferBytes]byte) }}

// stream copies body, always one byte behind: a body that turns out wrong at its
// end must not have been sent whole, since a client that has every announced
// byte never learns of the error.
func stream(w io.Writer, body io.Reader) error {
	buffer := buffers.Get().(*[bufferBytes]byte)
	defer buffers.Put(buffer)
	held := 0 // buffer[:held] has been read and not been written
	for idle := 0; ; {
		n, err := body.Read(buffer[held:])
		have := held + n
		if err == io.EOF { // one that is wrapped is a failure
			return write(w, buffer[:have])
		}
		if err != nil {
			return fmt.Errorf("read blob: %w", err)
		}
		if idle++; n > 0 {
			idle = 0
		} else if idle > 100 {
			return fmt.Errorf("read blob: %w", io.ErrNoProgress)
		}
		if have < 2 {
			held = have
			continue
		}
		if err := write(w, buffer[:have-1]); err != nil {
			return err
		}
		buffer[0], held = buffer[have-1], 1
	}
}

func write(w io.Writer, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	return nil
}
