package policy_test

import (
	"context"
	"fmt"

	"vouchsafe/inventory"
	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// unsignedResults stands for a registry without any signature.
type unsignedResults struct{}

func (unsignedResults) Results(_ context.Context, q verify.Query) ([]verify.Result, error) {
	var results []verify.Result
	for _, in := range q.Needed {
		results = append(results, verify.Result{Integration: in.Name(), Status: verify.Unsigned})
	}
	return results, nil
}

func ExampleEngine_Decide() {
	team, err := verify.NewIntegration("release-team", verify.Spec{PublicKeys: []verify.PublicKeySpec{{
		Name: "release-2026",
		Key: `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEALgoIasWXvKZyXX8AqIdcDibJV7rVxGUcoUeu5B4/a94=
-----END PUBLIC KEY-----`,
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := policy.New("prod-signed", policy.Spec{
		Images:   []string{"docker.io/acme/**"},
		Signers:  []string{"release-team"},
		Behavior: "InformAndEnforce",
	},
		func(name string) (*verify.Integration, bool) { return team, name == team.Name() },
		func(registry string) bool { return registry == oci.DockerHub },
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	rules := policy.Rules{Policies: []*policy.Policy{p}, Integrations: []*verify.Integration{team}, WhenNoPolicy: policy.Allow}
	engine := &policy.Engine{
		Rules:   func() policy.Rules { return rules },
		Results: unsignedResults{},
		Lineage: inventory.NewLineage(0),
	}
	body := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
	manifest, err := oci.ParseManifest(body, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	ref := oci.Reference{Repository: oci.Repository{Registry: oci.DockerHub, Path: "acme/api"}, Digest: oci.SHA256(body)}
	d, err := engine.Decide(context.Background(),
		policy.Request{Kind: policy.KindPull, Verb: "GET", Reference: ref},
		oci.Image{Reference: ref, MediaType: manifest.MediaType, Bytes: body, Manifest: manifest})
	fmt.Println(d.Verdict, d.Reasons, err)
	// Output: Deny [UNSIGNED] <nil>
}

func ExamplePolicy_Matches() {
	team, err := verify.NewIntegration("release-team", verify.Spec{PublicKeys: []verify.PublicKeySpec{{
		Name: "release-2026",
		Key: `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEALgoIasWXvKZyXX8AqIdcDibJV7rVxGUcoUeu5B4/a94=
-----END PUBLIC KEY-----`,
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	signers := func(name string) (*verify.Integration, bool) { return team, name == team.Name() }
	listed := func(registry string) bool { return registry == oci.DockerHub }
	spec := policy.Spec{Images: []string{"docker.io/acme/*"}, Signers: []string{"release-team"}, Behavior: "Inform"}
	p, err := policy.New("watch", spec, signers, listed)
	fmt.Println(err)
	fmt.Println(p.Matches(oci.Repository{Registry: "docker.io", Path: "acme/api"}, ""))
	fmt.Println(p.Matches(oci.Repository{Registry: "docker.io", Path: "acme/api/debug"}, ""))

	spec.Images = []string{"acme/*"}
	_, err = policy.New("watch", spec, signers, listed)
	fmt.Println(err)
	// Output:
	// <nil>
	// true
	// false
	// spec.images[0]: "acme/*" has no registry, patterns match origin names (docker.io/acme/*)
}
