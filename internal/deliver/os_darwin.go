package deliver

import "golang.org/x/sys/unix"

// renameNoReplace renames from to to where to is free; fs.ErrExist where it is not.
func renameNoReplace(from, to string) error {
	return unix.RenamexNp(from, to, unix.RENAME_EXCL)
}
