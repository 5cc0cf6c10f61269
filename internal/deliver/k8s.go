package deliver

// newKubernetes describes k8s:[NAMESPACE/]SECRET#KEY.
func newKubernetes(s Spec, _ Env) (Destination, error) {
	return nil, &SpecError{Text: s.String(), Why: "k8s: is not built in yet"}
}
