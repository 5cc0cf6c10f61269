package privfile

import "io/fs"

// Windows keeps access lists, not modes: files in a user's profile are private
// to that user by the list they inherit, and that is all that is promised.
const (
	openNoFollow  = 0
	openNonblock  = 0
	chmodOptional = true
)

// OthersCanRead is not told by modes on Windows.
func OthersCanRead(fs.FileInfo) bool { return false }

func checkPrivate(string, fs.FileInfo) error    { return nil }
func checkPrivateDir(string, fs.FileInfo) error { return nil }
func checkUnwritable(string, fs.FileInfo) error { return nil }

// SyncDir does nothing: Windows has no sync of a folder.
func SyncDir(string) error { return nil }
