// Program kube-apiserver is the API server of Kubernetes, for the tests of --to k8s:.
// Its module stands apart so that the product's own go.mod does not know it.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
