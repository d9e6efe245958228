package sigstore_test

import "testing"

// TestSigstore is one test: starting the servers and signing takes longer than
// judging, and all tables share what is signed.
func TestSigstore(t *testing.T) {
	g := newGallery(t)
	t.Run("cosign verifies each form itself", g.testCosign)
	t.Run("each form is verified", func(t *testing.T) { g.judge(t, g.rightRows(t)) })
	t.Run("identities", func(t *testing.T) { g.judge(t, g.identityRows()) })
	t.Run("authorities", func(t *testing.T) { g.judge(t, g.authorityRows(t)) })
	t.Run("logs and timestamps", func(t *testing.T) { g.judge(t, g.proofRows(t)) })
	t.Run("what belongs to another", func(t *testing.T) { g.judge(t, g.tamperedRows()) })
	t.Run("time", func(t *testing.T) { g.judge(t, g.timeRows()) })
	t.Run("what ends while it is served", g.testEnding)
	t.Run("names", func(t *testing.T) { g.judge(t, g.nameRows()) })
	t.Run("a log that is asked", func(t *testing.T) { g.judge(t, g.onlineRows(t)) })
	t.Run("what verify shows", g.testProofs)
	t.Run("offline", g.testOffline)
	t.Run("the page on signing", g.testPage)
}
