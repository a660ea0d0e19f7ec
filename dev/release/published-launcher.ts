/**
 * The launcher of a command as it is published: it runs what is compiled, since Node strips no types below `node_modules`. Throws if the one in the
 * repository does not run its sources.
 */
export function toPublishedLauncher(source: string): string {
  const published = source
    .replace(/^#!\/usr\/bin\/env -S node --conditions=source$/m, "#!/usr/bin/env node")
    .replace('import("../src/main.ts")', 'import("../dist/main.js")');
  if (!published.startsWith("#!/usr/bin/env node\n") || !published.includes("../dist/main.js"))
    throw new Error("a launcher is not as it was expected");
  return published;
}
