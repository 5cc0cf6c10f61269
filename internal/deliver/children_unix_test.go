//go:build unix

package deliver

func init() {
	children["ask"] = childAsk
}
