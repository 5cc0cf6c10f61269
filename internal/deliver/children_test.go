package deliver

// children are what a process of this test binary can be instead of the tests.
var children = map[string]func(args []string) error{
	"edit": childEdit,
}
