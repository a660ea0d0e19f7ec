const rbac = "/apis/rbac.authorization.k8s.io/v1";
const apiVersion = "rbac.authorization.k8s.io/v1";

/** What the developer of the user kubeconfig may do: `edit` everywhere, and Headrace's resources with it. Bodies to POST to `path`. */
export const userRoles = [
  {
    path: `${rbac}/clusterroles`,
    body: {
      apiVersion,
      kind: "ClusterRole",
      metadata: { name: "headrace-edit", labels: { "rbac.authorization.k8s.io/aggregate-to-edit": "true" } },
      rules: [
        {
          apiGroups: ["headrace.dev"],
          resources: ["kafkaconnects", "kafkaconnects/scale", "kafkaconnectors", "kafkaconnectors/scale"],
          verbs: ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
        },
        // kubectl validates custom resources with it.
        {
          apiGroups: ["apiextensions.k8s.io"],
          resources: ["customresourcedefinitions"],
          verbs: ["get", "list", "watch"],
        },
      ],
    },
  },
  {
    path: `${rbac}/clusterrolebindings`,
    body: {
      apiVersion,
      kind: "ClusterRoleBinding",
      metadata: { name: "headrace-developers" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "headrace:developers" }],
    },
  },
] as const;
