import { z } from "zod";
import { Resources } from "./resources.ts";
import { onlyFor, requiredFor, rules } from "./rules.ts";

const FILES = ["jar", "tgz", "zip", "other"] as const;

/** A file, or a Maven artifact with what it needs, that belongs to a plugin. */
const BuildArtifact = z
  .object({
    type: z.enum([...FILES, "maven"]).describe("What it is: jar, tgz, zip, other (kept as it is) or maven."),
    url: z.string().min(1).optional().describe("Where to download it; for all types but maven."),
    sha512sum: z
      .string()
      .regex(/^[0-9a-fA-F]{128}$/)
      .optional()
      .describe("SHA-512 checksum of the file, in hexadecimal digits. A file with another one is refused."),
    insecure: z.boolean().optional().describe("Whether the server's certificate is not checked."),
    fileName: z.string().min(1).max(255).optional().describe("Name of the file; for type other."),
    repository: z.string().min(1).optional().describe("Maven repository. Maven Central if not given."),
    group: z.string().min(1).optional().describe("Maven group."),
    artifact: z.string().min(1).optional().describe("Maven artifact."),
    version: z.string().min(1).optional().describe("Maven version."),
    includeScope: z
      .enum(["compile", "provided", "runtime", "test", "system"])
      .optional()
      .describe("Scope of the dependencies that are fetched as well."),
    mirrors: z
      .array(z.object({ url: z.string().min(1).describe("Where the mirror is.") }))
      .max(16)
      .optional()
      .describe("Maven mirrors that are asked instead of all repositories."),
  })
  .meta(
    rules(
      requiredFor(FILES, "url"),
      onlyFor(FILES, "url"),
      onlyFor(["other"], "fileName"),
      ...["group", "artifact", "version"].flatMap((field) => [
        requiredFor(["maven"], field),
        onlyFor(["maven"], field),
      ]),
      ...["repository", "includeScope", "mirrors"].map((field) => onlyFor(["maven"], field)),
    ),
  );

export const PLUGIN_NAME = /^[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

/** Java plugins that are fetched for the workers of `runtime: Jvm`. */
export const Build = z.object({
  output: z
    .object({
      type: z.enum(["docker", "imagestream"]).describe("docker: a registry. imagestream: OpenShift's."),
      image: z.string().min(1).describe("Name of the image."),
      pushSecret: z.string().min(1).optional().describe("Secret with the registry's credentials."),
      additionalBuildOptions: z.array(z.string()).max(64).optional().describe("Further options of the build."),
      additionalPushOptions: z.array(z.string()).max(64).optional().describe("Further options of the push."),
      additionalKanikoOptions: z.array(z.string()).max(64).optional().describe("Further options of Kaniko."),
    })
    .optional()
    .describe("Accepted for compatibility with Strimzi: no image is built, plugins are fetched when a worker starts."),
  plugins: z
    .array(
      z.object({
        name: z.string().regex(PLUGIN_NAME).max(63).describe("Name of the plugin; a directory of the plugin path."),
        artifacts: z.array(BuildArtifact).min(1).max(64).describe("Files of the plugin."),
      }),
    )
    .min(1)
    .max(64)
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] })
    .describe("Plugins to fetch."),
  resources: Resources.optional().describe("CPU and memory for fetching."),
});
export type Build = z.infer<typeof Build>;
