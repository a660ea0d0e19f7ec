#!/usr/bin/env -S node --conditions=source --max-semi-space-size=4
const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    `headrace-worker needs Node 24 or later, this is ${process.version}; npx headrace-worker finds the right one\n`,
  );
  process.exit(1);
}
await import("../src/main.ts");
