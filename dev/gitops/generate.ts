import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repoRoot } from "../cache.ts";
import { writeGenerated } from "../generated-files.ts";
import { readCustomizations, toArgoConfig } from "./argocd-config.ts";
import { toArgoTests } from "./argocd-tests.ts";

/**
 * Writes `argocd-cm.yaml` of the examples, and of the tests in Argo CD's layout what follows from the recorded states. With `--check` it writes
 * nothing and fails if a file is not what it would write.
 */
const ARGOCD = join(repoRoot, "examples/gitops/argocd");
const GROUP = "headrace.dev";
const customizations = readCustomizations(join(ARGOCD, "resource_customizations", GROUP));
const applicationHealth = readFileSync(join(ARGOCD, "application-health.lua"), "utf8");
const config = toArgoConfig({ group: GROUP, customizations, applicationHealth });
writeGenerated(ARGOCD, new Map([["argocd-cm.yaml", config]]), { all: false });
for (const { dir } of customizations) writeGenerated(dir, toArgoTests(dir), { all: false });
