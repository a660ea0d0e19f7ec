// A Kubernetes node for `make e2e`: kubelet, kube-proxy, and what enforces NetworkPolicies.
//
// The name it is called by (argv[0], a symbolic link) says which of them it is.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "kubelet":
		os.Exit(cli.Run(kubelet.NewKubeletCommand(context.Background())))
	case "kube-proxy":
		os.Exit(cli.Run(proxy.NewProxyCommand()))
	case "network-policies":
		fmt.Fprintln(os.Stderr, runNetworkPolicies())
		os.Exit(1)
	default:
		fmt.Fprintf(os.Stderr, "%s is none of kubelet, kube-proxy and network-policies\n", name)
		os.Exit(2)
	}
}
