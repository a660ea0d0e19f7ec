import type { NamedPlugin } from "./plugin-names.ts";

/**
 * A package of plugins: a directory with a `package.json`. Its entry is an ES module whose default export is one definition of the sdk
 * (`defineSource`, …) or an array of them (docs/plugins.md).
 */
export interface PackageManifest {
  /** Of `package.json`. */
  readonly name: string;
  readonly version: string;
  readonly directory: string;
  /** The module that is loaded, as an absolute path. */
  readonly entry: string;
  /** Changes when the package is replaced. */
  readonly fingerprint: string;
}

/** One plugin of a package, without its code. */
export interface PackagedPlugin extends NamedPlugin {
  readonly version: string;
  /** A converter that also converts headers. */
  readonly headers: boolean;
}

/** A package that an executor has loaded once, and what it found. */
export interface PluginPackage extends PackageManifest {
  readonly plugins: readonly PackagedPlugin[];
}
