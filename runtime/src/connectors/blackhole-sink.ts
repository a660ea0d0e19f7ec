import { defineSink } from "@headrace/sdk";
import { z } from "zod";

/** Takes records and forgets them: for tests and measurements. */
export const blackholeSink = defineSink({
  name: "blackhole",
  version: "1.0.0",
  config: z.object({}),
  openTask: async () => ({
    put: async () => {},
    close: () => {},
  }),
});
