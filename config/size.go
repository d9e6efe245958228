package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written "64MiB".
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
}

var errSize = errors.New("is not a size; write it like 64MiB, 1GiB, or as a plain number of bytes")

// ParseSize reads a whole number with the unit KiB, MiB, GiB or TiB, or none for
// bytes. Units of a thousand are refused, since people mean both by "MB".
func ParseSize(s string) (Size, error) {
	digits, unit := s, int64(1)
	for _, u := range sizeUnits {
		if number, found := strings.CutSuffix(s, u.suffix); found {
			digits, unit = number, u.bytes
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
	if err != nil || int64(n) > math.MaxInt64/unit {
		return 0, errSize
	}
	return Size(int64(n) * unit), nil
}

// String returns the size with the largest unit that divides it.
func (s Size) String() string {
	for i := len(sizeUnits) - 1; i >= 0; i-- {
		if u := sizeUnits[i]; s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
