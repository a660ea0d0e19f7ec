import { stringify } from "yaml";
import { DNS_ADDRESS, type NodeNetwork, POD_CIDR } from "./network.ts";

/** Kubernetes' features that are off by default in this version and on here: plugins may come as volumes of type `image`. */
export const FEATURE_GATES = { ImageVolume: true } as const;

/** Name of the image that holds pods' sandboxes. */
export const PAUSE_IMAGE = "headrace.dev/e2e/pause:1";

/** containerd's configuration, version 3. `dir` is the node's own. */
export function containerdConfig(dir: string, networkPlugins: string): string {
  const runtime = '[plugins."io.containerd.cri.v1.runtime"';
  return `version = 3
root = "${dir}/containerd"
state = "/run/containerd-state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = "${socketOf(dir)}"
[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${PAUSE_IMAGE}"
${runtime}]
  disable_apparmor = true
  # Some machines let nobody lower this number, not even root.
  restrict_oom_score_adj = true
${runtime}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
${runtime}.containerd.runtimes.runc.options]
  SystemdCgroup = false
${runtime}.cni]
  bin_dirs = ["${networkPlugins}"]
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
    featureGates: FEATURE_GATES,
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
