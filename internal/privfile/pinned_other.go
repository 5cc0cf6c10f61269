//go:build !linux

package privfile

// pinned is "": mounts of single files are a habit of Linux containers.
func pinned(string) string { return "" }
