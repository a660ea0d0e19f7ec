#!/usr/bin/env -S node --conditions=source
const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    `headrace needs Node 24 or later, this is ${process.version}; npx headrace finds the right one\n`,
  );
  process.exit(1);
}
await import("../src/main.ts");
