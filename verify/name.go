package verify

import "vouchsafe/oci"

// checkName holds the repository that a payload names against the one that was
// asked for. A bundle names none.
func checkName(a *attempt) *miss {
	rule := a.trust.name
	if rule.mode == nameAny || a.signed.name == "" && rule.mode == nameIfNamed {
		return nil
	}
	if a.signed.name == "" {
		return missed(NameMismatch, "%s, but the signature names no repository, wanted %s", a.by(), a.repository)
	}
	named, err := oci.ParseReference(a.signed.name)
	if err != nil {
		return missed(NameMismatch, "%s, but the signature names %.120q, which is no repository", a.by(), a.signed.name)
	}
	if rule.allows(named.Repository.String(), a.repository.String()) {
		return nil
	}
	return missed(NameMismatch, "%s, but for %.160s, wanted %s", a.by(), named.Repository, a.repository)
}

// allows reports whether a signature for the repository named counts for wanted.
func (r nameRule) allows(named, wanted string) bool {
	if named == wanted {
		return true
	}
	for _, alias := range r.aliases {
		if alias.covers(named, wanted) {
			return true
		}
	}
	return false
}
