// Command payload is the whole content of the images that containerd runs here:
// "payload hello" prints the file /salt, which differs from image to image, and
// "payload pause" waits to be ended, as the first process of a pod does.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "hello":
		salt, err := os.ReadFile("/salt")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("hello from %s\n", salt)
	case len(os.Args) == 2 && os.Args[1] == "pause":
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
		<-ended
	default:
		fmt.Fprintln(os.Stderr, "usage: payload hello | pause")
		os.Exit(2)
	}
}
