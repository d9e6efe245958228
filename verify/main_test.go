package verify_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childEnv makes this binary run one scenario as a process of its own, whose
// memory is its own.
const childEnv = "VERIFY_TEST_CHILD"

var child func(scenario string) int

func TestMain(m *testing.M) {
	if scenario := os.Getenv(childEnv); scenario != "" {
		os.Exit(child(scenario))
	}
	goleak.VerifyTestMain(m)
}
