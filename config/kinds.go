package config

import (
	"reflect"

	"vouchsafe/policy"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// kinds are those of documents that this build acts upon.
var kinds = []string{KindIntegration, KindPolicy, KindRegistry}

// laterKinds are of documents that this build knows and refuses: a document
// that is read and not acted upon would pretend.
var laterKinds = []string{"WatchedImage", "Notification", "Exception", "Block", "AccessToken"}

// laterKeys are, by kind, the paths of keys that this build knows and refuses,
// whether or not the kind's type has them already.
var laterKeys = map[string][]string{}

// specOf returns a new spec for kind, nil when it is none of kinds.
func specOf(kind string) any {
	switch kind {
	case KindIntegration:
		return new(verify.Spec)
	case KindPolicy:
		return new(policy.Spec)
	case KindRegistry:
		return new(upstream.Spec)
	}
	return nil
}

// specKeys are the keys directly under the spec of any kind.
func specKeys() []string {
	var keys []string
	for _, kind := range kinds {
		spec := reflect.TypeOf(specOf(kind)).Elem()
		for i := range spec.NumField() {
			name, _ := jsonName(spec.Field(i))
			keys = append(keys, name)
		}
	}
	return keys
}
