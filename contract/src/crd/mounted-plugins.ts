import { z } from "zod";
import { PLUGIN_NAME } from "./build.ts";
import { onlyFor, requiredFor, rules } from "./rules.ts";

const PluginArtifact = z
  .object({
    type: z
      .enum(["image", "npm"])
      .describe("image: an OCI image, mounted as a volume. npm: a package's archive, fetched when a worker starts."),
    reference: z.string().min(1).optional().describe("Image, best with its digest; for type image."),
    pullPolicy: z
      .enum(["Always", "IfNotPresent", "Never"])
      .optional()
      .describe("When the image is pulled; for type image."),
    url: z
      .string()
      .regex(/^https?:\/\/\S+$/)
      .optional()
      .describe("Archive as `npm pack` makes it, with all that it needs bundled; for type npm."),
    integrity: z
      .string()
      .regex(/^sha(256|384|512)-[A-Za-z0-9+/]+={0,2}$/)
      .optional()
      .describe("Hash of the archive as npm writes it, sha512-…; another archive is refused. For type npm."),
  })
  .meta(
    rules(
      requiredFor(["image"], "reference"),
      onlyFor(["image"], "reference"),
      onlyFor(["image"], "pullPolicy"),
      ...["url", "integrity"].flatMap((field) => [requiredFor(["npm"], field), onlyFor(["npm"], field)]),
    ),
  );

/** Plugins that are added to the workers without an image of one's own. */
export const MountedPlugins = z
  .array(
    z.object({
      name: z.string().regex(PLUGIN_NAME).max(63).describe("Name of the plugin; a directory of the plugin path."),
      artifacts: z.array(PluginArtifact).min(1).max(16).describe("What the plugin is made of."),
    }),
  )
  .max(32)
  .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] });
export type MountedPlugins = z.infer<typeof MountedPlugins>;
