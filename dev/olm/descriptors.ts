import { parse } from "yaml";
import { z } from "zod";

const Field = z.looseObject({ description: z.string().optional() });
const Fields = z.object({ properties: z.record(z.string(), Field) });
const Crd = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    names: z.object({ kind: z.string() }),
    versions: z.array(
      z.object({
        name: z.string(),
        schema: z.object({
          openAPIV3Schema: z.object({
            description: z.string(),
            properties: z.object({ spec: Fields, status: Fields }),
          }),
        }),
      }),
    ),
  }),
});

/** A form field or a line of a page in OpenShift's console (operator-framework/api, SpecDescriptor). */
interface Descriptor {
  readonly path: string;
  readonly displayName: string;
  readonly description?: string;
  readonly "x-descriptors"?: readonly string[];
}

const UI = "urn:alm:descriptor:com.tectonic.ui:";
/** How the console shows fields; of the others it takes a text field. */
const SHOWN: Readonly<Record<string, string>> = {
  "spec.replicas": `${UI}podCount`,
  "spec.resources": `${UI}resourceRequirements`,
  "spec.tasksMax": `${UI}number`,
  "spec.resetOffsetsOnDelete": `${UI}booleanSwitch`,
  "spec.state": `${UI}select:running`,
  "status.conditions": "urn:alm:descriptor:io.kubernetes.conditions",
  "status.url": "urn:alm:descriptor:org.w3:link",
};
/** Values of fields with a choice, in the console one descriptor each. */
const CHOICES: Readonly<Record<string, readonly string[]>> = { "spec.state": ["running", "paused", "stopped"] };

/** What a bundle says of a CRD that the operator owns, from the generated CRD itself. */
export function toOwnedCrd(text: string, resources: readonly { readonly kind: string; readonly version: string }[]) {
  const { metadata, spec } = Crd.parse(parse(text));
  const [version] = spec.versions;
  if (version === undefined) throw new Error(`${metadata.name} has no version`);
  const { description, properties } = version.schema.openAPIV3Schema;
  return {
    name: metadata.name,
    kind: spec.names.kind,
    version: version.name,
    displayName: spec.names.kind,
    description,
    resources: resources.map(({ kind, version }) => ({ kind, name: "", version })),
    specDescriptors: descriptorsOf("spec", properties.spec),
    statusDescriptors: descriptorsOf("status", properties.status),
  };
}

function descriptorsOf(part: "spec" | "status", { properties }: z.infer<typeof Fields>): readonly Descriptor[] {
  return Object.entries(properties).map(([path, { description }]) => {
    const shown = SHOWN[`${part}.${path}`];
    const choices = CHOICES[`${part}.${path}`]?.map((choice) => `${UI}select:${choice}`);
    return {
      path,
      displayName: toTitle(path),
      ...(description === undefined ? {} : { description }),
      ...(shown === undefined ? {} : { "x-descriptors": choices ?? [shown] }),
    };
  });
}

/** `configStorageTopic` → `Config storage topic`. */
function toTitle(name: string): string {
  const words = name.replace(
    /([a-z])([A-Z])/g,
    (_, before: string, after: string) => `${before} ${after.toLowerCase()}`,
  );
  return words.charAt(0).toUpperCase() + words.slice(1);
}
