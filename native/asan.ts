import { execFileSync, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Runs node with the addon's address sanitizer build (`node dev/setup/native.ts asan`) and the sanitizer preloaded; arguments are node's:
 * `node native/asan.ts --conditions=source --test test/native/*.test.ts`. Fails if the sanitizer has found anything.
 * Leaks are not looked for: node itself leaves memory to the end of the process.
 */
const here = dirname(fileURLToPath(import.meta.url));
const runtimes = ["libasan.so", "libubsan.so"].map((name) =>
  execFileSync("gcc", [`-print-file-name=${name}`], { encoding: "utf8" }).trim(),
);
const { status } = spawnSync(process.execPath, process.argv.slice(2), {
  stdio: "inherit",
  env: {
    ...process.env,
    LD_PRELOAD: runtimes.join(":"),
    HEADRACE_NATIVE: join(here, "build/headrace_native_asan.node"),
    ASAN_OPTIONS: "detect_leaks=0:exitcode=99:abort_on_error=0:allow_user_segv_handler=1",
    UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1",
  },
});
process.exitCode = status ?? 1;
