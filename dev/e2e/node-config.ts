import { stringify } from "yaml";
import { DNS_ADDRESS, type NodeNetwork, POD_CIDR } from "./network.ts";

/** Name of the image that holds pods' sandboxes. */
export const PAUSE_IMAGE = "headrace.dev/e2e/pause:1";

/** containerd's configuration, version 2. `dir` is the node's own. */
export function containerdConfig(dir: string, networkPlugins: string): string {
  const cri = '[plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = "${dir}/containerd"
state = "/run/containerd-state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "${socketOf(dir)}"
${cri}]
  sandbox_image = "${PAUSE_IMAGE}"
  stream_server_address = "127.0.0.1"
  disable_apparmor = true
  # Some machines let nobody lower this number, not even root.
  restrict_oom_score_adj = true
${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
${cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false
${cri}.cni]
  bin_dir = "${networkPlugins}"
  conf_dir = "${dir}/cni"
`;
}

/** Where containerd listens. */
export const socketOf = (dir: string): string => `${dir}/containerd.sock`;

/** Pods are routed, not bridged: what a Service's address is translated to comes back the same way. */
export function networkConfig(node: NodeNetwork): string {
  return JSON.stringify({
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      {
        type: "ptp",
        ipam: {
          type: "host-local",
          dataDir: "/run/cni",
          ranges: [[{ subnet: node.podCidr }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
    ],
  });
}

/** The kubelet's configuration. `dir` is the node's own. */
export function kubeletConfig(dir: string, node: NodeNetwork, cgroup: string): string {
  return stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: node.address,
    readOnlyPort: 0,
    // Nobody but the API server and the tests is on its network.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    containerRuntimeEndpoint: `unix://${socketOf(dir)}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `${cgroup}/${node.name}`,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
    // The machine's disk and memory are not the node's to judge.
    evictionHard: {},
    imageGCHighThresholdPercent: 100,
    clusterDNS: [DNS_ADDRESS],
    clusterDomain: "cluster.local",
    resolvConf: `${dir}/resolv.conf`,
    podLogsDir: `${dir}/pods`,
  });
}

/** kube-proxy's configuration. */
export function proxyConfig(node: NodeNetwork, kubeconfig: string): string {
  return stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    hostnameOverride: node.name,
    clusterCIDR: POD_CIDR,
    clientConnection: { kubeconfig },
    healthzBindAddress: "",
    metricsBindAddress: "127.0.0.1:10249",
    // Limits of connections are the machine's, not the network namespace's.
    conntrack: { maxPerCore: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  });
}
