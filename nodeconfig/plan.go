package nodeconfig

import "fmt"

// marker begins a file that is all ours, in every language that has comments.
const marker = "# Written by vouchsafe client-config.\n"

// authorityFile is the name of the gateway's authority, beside the file that
// names it.
const authorityFile = "vouchsafe-ca.pem"

// File is one file of a plan.
type File struct {
	// Path is absolute, on the node.
	Path string `json:"path"`
	// Mode is the octal mode of a file that is not there yet.
	Mode    string `json:"mode"`
	Content string `json:"content"`

	// ours reports whether what is there may be replaced; nil: when it begins with
	// our marker.
	ours func(existing []byte) bool
}

// Plan is what has to be written on a node.
type Plan struct {
	Runtime Runtime `json:"runtime"`
	Files   []File  `json:"files"`
	// Notes say what else to do or to know.
	Notes []string `json:"notes"`
	// Left are the ways round that the runtime does not let close.
	Left []string `json:"left"`
}

func (p *Plan) add(f File) {
	f.Mode = "0644"
	p.Files = append(p.Files, f)
}

// New plans the files for a runtime. What the node has already decides where they
// go and what is kept of it; with the zero [Node] they are as on a new node. An
// error says what is in the way.
func New(runtime Runtime, want Want, node Node) (Plan, error) {
	switch runtime {
	case Containerd:
		return want.containerdPlan(node)
	case CRIO, Podman:
		return want.containersPlan(runtime, node)
	case Docker:
		return want.dockerPlan(node)
	case K3s:
		return want.k3sPlan(node)
	}
	return Plan{}, fmt.Errorf("no runtime was named")
}
