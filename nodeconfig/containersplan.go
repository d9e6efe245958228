package nodeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// containersPlan plans the files for Podman or CRI-O.
func (w Want) containersPlan(runtime Runtime, node Node) (Plan, error) {
	p := Plan{Runtime: runtime}
	for _, registry := range append(slices.Clone(w.registries), w.bootstrap...) {
		if strings.HasPrefix(registry, "[") {
			return p, fmt.Errorf("%s: an IPv6 address cannot be part of a path, so %s has no way to it", registry, runtime)
		}
	}
	policy := policyFile
	if runtime == CRIO {
		policy = crioPolicy(node)
	}
	existing, err := node.read(policy)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	content, err := w.policyContent(policy, existing)
	if err != nil {
		return p, err
	}
	p.add(File{Path: registriesOurs, Content: w.registriesFile()})
	p.add(File{Path: policy, Content: content, ours: w.policyIsOurs})
	if len(w.authority) > 0 {
		p.add(File{Path: "/etc/containers/certs.d/" + w.host() + "/ca.crt", Content: marker + string(w.authority)})
	}
	p.Notes = []string{
		"policy.json goes by the names that users write: a registry without a line in it is rejected",
	}
	p.Left = []string{
		"a user's own ~/.config/containers/registries.conf and policy.json, --signature-policy and CONTAINERS_REGISTRIES_CONF take the place of these files",
		"images that are on the node already, or are loaded from archives, are not pulled and so not judged",
	}
	if runtime == CRIO {
		p.Notes = append(p.Notes, "the files are those of Podman, with which they were tried; CRI-O was not run",
			"the pause image (pause_image) is pulled like any other; its registry needs a block and a line too", "then: systemctl reload crio")
		p.Left = append(p.Left[1:], "root on the node can do without all this: close the network between nodes and registries")
		return p, nil
	}
	p.Left = append(p.Left, "root on the node can do without all this: close the network between nodes and registries")
	return p, nil
}
