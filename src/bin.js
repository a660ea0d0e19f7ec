#!/usr/bin/env -S node --conditions=source --max-semi-space-size=8
await import("./main.ts");
