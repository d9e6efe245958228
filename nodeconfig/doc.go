// Package nodeconfig writes and reads the files by which the container runtime of
// a node is told to pull through a gateway: containerd, CRI-O, Podman (and what
// shares its library), Docker and k3s.
//
// The two directions hold each other: [New] plans files that leave no way round
// the gateway but those that it names, and [Examine] finds the ways round in
// files that anybody wrote. What New plans, Examine finds nothing in.
//
// What is known of each runtime is written where it is used, with the version
// that showed it. A runtime asks the registry itself whenever its configuration
// leaves it to, also for what the gateway refused, and says nothing about it; so
// a file that cannot be read as the runtime reads it counts as a way round.
//
// Trust: whoever writes a node's files is root on it and can go round all of
// this. Nothing here protects from that; closing the network does. Files are read
// with a ceiling, below the given root alone, and never obeyed. The package opens
// no connection.
package nodeconfig
