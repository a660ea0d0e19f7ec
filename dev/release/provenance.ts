import type { Input } from "./inputs.ts";

/** What was made, with its SHA-256 in hexadecimal. */
export interface Artifact {
  readonly name: string;
  readonly sha256: string;
}

/** What a statement about a release says. */
export interface ReleaseFacts {
  readonly version: string;
  /** Git commit. */
  readonly commit: string;
  readonly architectures: readonly string[];
  /** What it is made of beside the commit. */
  readonly inputs: readonly Input[];
  readonly made: readonly Artifact[];
}

/**
 * An in-toto statement (v1) with a SLSA provenance (v1): what was made, of which commit and inputs, by which recipe. Without times and names of
 * machines, so that the same release of the same inputs is the same statement.
 */
export function toProvenance({ version, commit, architectures, inputs, made }: ReleaseFacts): string {
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: made.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "https://headrace.dev/release/v1",
        externalParameters: { version, architectures },
        resolvedDependencies: [{ name: "repository", digest: { gitCommit: commit } }, ...inputs],
      },
      runDetails: { builder: { id: "https://headrace.dev/release/v1/make-release" } },
    },
  };
  return `${JSON.stringify(statement, null, 2)}\n`;
}
