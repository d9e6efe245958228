package verify

import (
	"testing"

	"vouchsafe/oci"
)

// TestSignedName has what payloads name, and what was asked for.
func TestSignedName(t *testing.T) {
	signer := labSigner{key: labKey(t)}
	mirror := []nameAlias{
		{from: "docker.io/acme", to: "registry.test/mirror/acme", under: true},
		{from: "ghcr.io/acme/tool", to: "registry.test/tool"},
	}
	for _, c := range []struct {
		name, says, asked string
		mode              nameMode
		good              bool
	}{
		{"the repository", "registry.test/app", "registry.test/app", nameRepository, true},
		{"with a tag", "registry.test/app:1.4", "registry.test/app", nameRepository, true},
		{"with a digest", "registry.test/app@" + labDigest.String(), "registry.test/app", nameRepository, true},
		{"another case of the host, and the port of https", "Registry.Test:443/app", "registry.test/app", nameRepository, true},
		{"another name of Docker Hub", "index.docker.io/library/nginx", "docker.io/library/nginx", nameRepository, true},
		{"a short name of Docker Hub", "nginx", "docker.io/library/nginx", nameRepository, true},
		{"another repository", "registry.test/other", "registry.test/app", nameRepository, false},
		{"a longer name", "registry.test/app/evil", "registry.test/app", nameRepository, false},
		{"another port", "registry.test:5000/app", "registry.test/app", nameRepository, false},
		{"no name", "", "registry.test/app", nameRepository, false},
		{"no name, where one is not demanded", "", "registry.test/app", nameIfNamed, true},
		{"another repository, where a name is not demanded", "registry.test/other", "registry.test/app", nameIfNamed, false},
		{"no repository's name", "Hello World", "registry.test/app", nameIfNamed, false},
		{"no repository's name, and nobody asks", "Hello World", "registry.test/app", nameAny, true},
		{"under an alias", "docker.io/acme/api", "registry.test/mirror/acme/api", nameRepository, true},
		{"under an alias, another rest", "docker.io/acme/api", "registry.test/mirror/acme/web", nameRepository, false},
		{"beside an alias", "docker.io/acmeevil/api", "registry.test/mirror/acmeevil/api", nameRepository, false},
		{"an alias the other way round", "registry.test/mirror/acme/api", "docker.io/acme/api", nameRepository, false},
		{"an exact alias", "ghcr.io/acme/tool", "registry.test/tool", nameRepository, true},
		{"under an exact alias", "ghcr.io/acme/tool/x", "registry.test/tool/x", nameRepository, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			evidence := labEvidence(signer.sign(t, labPayload(labDigest, c.says)))
			asked := must(oci.ParseReference(c.asked))(t)
			evidence.Repository = asked.Repository
			trusted := trust{keys: signer.trusted(t, window{}), name: nameRule{mode: c.mode, aliases: mirror}}
			got := Judge(evidence, integrationOf("lab", trusted), labNow)
			if good := got.Status == Verified; good != c.good || !good && got.Reason != NameMismatch {
				t.Errorf("got %v %s: %s", got.Status, got.Reason, got.Message)
			}
		})
	}
	t.Run("a bundle names none", func(t *testing.T) {
		item := signer.statementBundle(t, signStatement(labDigest))
		for mode, want := range map[nameMode]Status{nameAny: Verified, nameIfNamed: Verified, nameRepository: Untrusted} {
			trusted := trust{keys: signer.trusted(t, window{}), name: nameRule{mode: mode}}
			if got := Judge(labEvidence(item), integrationOf("lab", trusted), labNow); got.Status != want {
				t.Errorf("mode %d: got %v, want %v", mode, got.Status, want)
			}
		}
	})
}
