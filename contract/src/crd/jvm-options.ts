import { z } from "zod";

const heap = (doc: string) =>
  z
    .string()
    .regex(/^[0-9]+[mMgG]?$/)
    .optional()
    .describe(doc);

/** Options of the Java virtual machine. */
export const JvmOptions = z.object({
  "-Xms": heap("Heap at the start, for instance 512m."),
  "-Xmx": heap("Heap at most, for instance 2g."),
  "-XX": z.record(z.string(), z.string()).optional().describe("-XX options by name, for instance UseG1GC: true."),
  gcLoggingEnabled: z.boolean().optional().describe("Whether garbage collections are logged."),
  javaSystemProperties: z
    .array(
      z.object({
        name: z.string().min(1).describe("Name of the system property."),
        value: z.string().describe("Value of the system property."),
      }),
    )
    .optional()
    .describe("System properties of the virtual machine (-D)."),
});
export type JvmOptions = z.infer<typeof JvmOptions>;

/** JMX of the Java virtual machine. */
export const JmxOptions = z.object({
  authentication: z
    .object({ type: z.enum(["password"]).describe("password: user and password in a Secret.") })
    .optional()
    .describe("Who may connect. Everybody if not given."),
});
export type JmxOptions = z.infer<typeof JmxOptions>;
