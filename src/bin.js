#!/usr/bin/env -S node --conditions=source
await import("./main.ts");
