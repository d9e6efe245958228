package admission

// node says what is kept of a JSON value: the members and elements that it names,
// or, when it names none, the value itself unless it has parts.
type node struct {
	members  map[string]*node
	elements *node
	// uid marks the value that an answer must repeat.
	uid bool
	// whole marks an object of the API server's, whose lists are counted anew.
	whole bool
}

// kept is the one description of what is read of a review. It has what [envelope]
// and [object] have; a test compares them.
var kept = func() *node {
	leaf := &node{}
	named := func(more map[string]*node, names ...string) *node {
		n := &node{members: map[string]*node{}}
		for _, name := range names {
			n.members[name] = leaf
		}
		for name, m := range more {
			n.members[name] = m
		}
		return n
	}
	in := func(name string, n *node) *node { return named(map[string]*node{name: n}) }
	containers := &node{elements: named(nil, "name", "image")}
	volumes := &node{elements: named(map[string]*node{"image": named(nil, "reference")}, "name")}
	pod := map[string]*node{
		"serviceAccountName": leaf, "initContainers": containers, "containers": containers, ephemeral: containers, "volumes": volumes,
	}
	templated := in("spec", named(pod))
	spec := named(pod)
	spec.members["template"] = templated
	spec.members["jobTemplate"] = in("spec", in("template", templated))
	object := named(map[string]*node{
		"metadata": named(map[string]*node{"annotations": named(nil, originals)}, "name", "generateName", "namespace"),
		"spec":     spec,
	})
	object.whole = true
	request := named(map[string]*node{
		"uid": {uid: true}, "kind": named(nil, "group", "version", "kind"), "userInfo": named(nil, "username"),
		"object": object, "oldObject": object,
	}, "subResource", "name", "namespace", "operation", "dryRun")
	return named(map[string]*node{"request": request}, "apiVersion", "kind")
}()
