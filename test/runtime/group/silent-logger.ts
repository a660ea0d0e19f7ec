import type { Logger } from "@headrace/sdk";

/** Says nothing; set HEADRACE_TEST_LOG to see what is logged. */
export const silent: Logger =
  process.env["HEADRACE_TEST_LOG"] === undefined
    ? { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }
    : {
        error: (fields, message) => console.error("error", message, fields),
        warn: (fields, message) => console.error("warn", message, fields),
        info: (fields, message) => console.error("info", message, fields),
        debug: (fields, message) => console.error("debug", message, fields),
      };
