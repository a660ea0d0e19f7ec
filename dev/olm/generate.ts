import { join } from "node:path";
import { repoRoot } from "../cache.ts";
import { writeGenerated } from "../generated-files.ts";
import { toBundle } from "./bundle.ts";
import { readBundleSources } from "./sources.ts";

/** Writes `bundle/`. With `--check` it writes nothing and fails if a file is not what it would write. */
writeGenerated(join(repoRoot, "bundle"), toBundle(readBundleSources()), { all: true });
