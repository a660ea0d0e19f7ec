/** A set of tests with a make target of its own; `test` is everything that is in no other. */
export const GROUPS = [
  "test",
  "interop",
  "chaos",
  "scale",
  "connectors",
  "clusters",
  "packaging",
  "ratios",
  "e2e",
] as const;
export type Group = (typeof GROUPS)[number];

/** Which files are wanted: `words` are looked for in their paths, whatever their group; without words all of `group`. */
export interface Choice {
  readonly group: Group;
  readonly words: readonly string[];
  /** Leave out the files that need Kafka or Kubernetes. */
  readonly unitOnly: boolean;
}

/** Groups whose files measure how long things take, or need the machine for themselves. */
const ALONE_GROUPS: ReadonlySet<Group> = new Set(["chaos", "scale", "ratios", "e2e"]);

/** Files of each group that take longest: started first, so that they do not run last and alone. */
export const LONG: readonly string[] = [
  "test/native/group.integration.test.ts",
  "test/runtime/group/rebalance.integration.test.ts",
  "test/dev/demo/demo.integration.test.ts",
  "test/runtime/worker/command-line.integration.test.ts",
  "test/integration/operator.integration.test.ts",
  "test/interop/jvm-runtime.integration.test.ts",
  "test/interop/broker-settings.integration.test.ts",
  "test/interop/mixed-group.integration.test.ts",
  "test/connectors/inventory-lab.integration.test.ts",
  "test/clusters/worker-pods.integration.test.ts",
  "test/clusters/kafka-login.integration.test.ts",
  "test/clusters/connector-end.integration.test.ts",
  "test/clusters/connector-bounds.integration.test.ts",
  "test/clusters/connector-lifecycle.integration.test.ts",
  "test/clusters/secured-cluster.integration.test.ts",
  "test/clusters/jvm-lifecycle.integration.test.ts",
  "test/packaging/chart.integration.test.ts",
  "test/packaging/arm64.integration.test.ts",
  "test/packaging/release.integration.test.ts",
];

/** Whether a file needs Kafka or Kubernetes. */
export const isIntegration = (file: string): boolean => file.endsWith(".integration.test.ts");

/** Whether a file runs while no other does. */
export const runsAlone = (file: string): boolean => ALONE_GROUPS.has(groupOf(file));

/** The group of a test file, by its folder. */
export function groupOf(file: string): Group {
  const [, folder] = file.split("/");
  return GROUPS.find((group) => group !== "test" && group === folder) ?? "test";
}

/** The wanted ones of `files`, in the order to start them: long ones first, then integration tests, so that the last is a short one. */
export function choose(files: readonly string[], { group, words, unitOnly }: Choice): readonly string[] {
  return files
    .filter((file) => (words.length === 0 ? groupOf(file) === group : words.some((word) => file.includes(word))))
    .filter((file) => !unitOnly || !isIntegration(file))
    .sort((left, right) => rank(left) - rank(right) || left.localeCompare(right));
}

function rank(file: string): number {
  const long = LONG.indexOf(file);
  if (long >= 0) return long;
  return isIntegration(file) ? LONG.length : LONG.length + 1;
}
