import { createHash } from "node:crypto";
import { posix } from "node:path";
import type { KafkaConnectSpec } from "@headrace/contract";
import { OWN_DIR } from "./kafka-access.ts";

/** The volume of fetched artifacts: plugins below `plugins`, Maven's own repository beside it. */
export const ARTIFACTS_DIR = `${OWN_DIR}/artifacts`;
/** A directory of the workers' `plugin.path`, with one directory per plugin. */
export const ARTIFACT_PLUGINS_DIR = `${ARTIFACTS_DIR}/plugins`;

/** Runs Maven where an artifact is to be fetched with what it needs. */
export const MAVEN_IMAGE = "docker.io/library/maven:3.9-eclipse-temurin-21";

type BuildArtifact = NonNullable<KafkaConnectSpec["build"]>["plugins"][number]["artifacts"][number];

/** A file to fetch, as `headrace-worker fetch-artifacts` reads it. */
export interface FileArtifact {
  readonly directory: string;
  readonly type: "jar" | "tgz" | "zip" | "other";
  readonly url: string;
  readonly sha512?: string;
  readonly fileName?: string;
}

/** A Maven artifact to copy with its dependencies into `directory`. */
export interface MavenArtifact {
  readonly directory: string;
  /** Keys of the ConfigMap; null: Maven's own settings. */
  readonly pom: string;
  readonly settings: string | null;
  readonly includeScope: string;
  readonly insecure: boolean;
}

export interface Artifacts {
  /** Fetched with, and without, a look at the servers' certificates. */
  readonly files: readonly FileArtifact[];
  readonly insecureFiles: readonly FileArtifact[];
  readonly maven: readonly MavenArtifact[];
  /** Files of the ConfigMap that Maven reads. */
  readonly data: Readonly<Record<string, string>>;
}

/** What `spec.build` asks for; nothing unless the workers are Java's. Another artifact goes to another directory. */
export function toArtifacts({ runtime, build }: Pick<KafkaConnectSpec, "runtime" | "build">): Artifacts {
  const files: FileArtifact[] = [];
  const insecureFiles: FileArtifact[] = [];
  const maven: MavenArtifact[] = [];
  const data: Record<string, string> = {};
  for (const { name, artifacts } of runtime === "Jvm" ? (build?.plugins ?? []) : []) {
    for (const artifact of artifacts) {
      const hash = hashOf(artifact);
      const directory = directoryOf(name, artifact);
      if (artifact.type === "maven") {
        const pom = `maven-${name}-${hash}.pom.xml`;
        const settings = artifact.mirrors?.length ? `maven-${name}-${hash}.settings.xml` : null;
        data[pom] = toPom(artifact);
        if (settings !== null) data[settings] = toSettings(artifact);
        const { includeScope = "runtime", insecure = false } = artifact;
        maven.push({ directory, pom, settings, includeScope, insecure });
        continue;
      }
      const { type, url = "", sha512sum, fileName } = artifact;
      (artifact.insecure === true ? insecureFiles : files).push({
        directory,
        type,
        url,
        ...(sha512sum === undefined ? {} : { sha512: sha512sum.toLowerCase() }),
        ...(fileName === undefined ? {} : { fileName }),
      });
    }
  }
  return { files, insecureFiles, maven, data };
}

/** Where jars are that `spec.build` fetches as they are, and by Maven without what they need. */
export function toJars({ runtime, build }: Pick<KafkaConnectSpec, "runtime" | "build">): readonly string[] {
  if (runtime !== "Jvm") return [];
  return (build?.plugins ?? []).flatMap(({ name, artifacts }) =>
    artifacts.flatMap((artifact) => {
      const file = jarOf(artifact);
      return file === null ? [] : [`${directoryOf(name, artifact)}/${file}`];
    }),
  );
}

/** The directories of a plugin's artifacts, of the first plugin with a jar of that name; none if there is no such jar. */
export function directoriesBeside(
  { runtime, build }: Pick<KafkaConnectSpec, "runtime" | "build">,
  jar: RegExp,
): readonly string[] {
  const plugins = runtime === "Jvm" ? (build?.plugins ?? []) : [];
  const found = plugins.find(({ artifacts }) => artifacts.some((artifact) => jar.test(jarOf(artifact) ?? "")));
  return found === undefined ? [] : found.artifacts.map((artifact) => directoryOf(found.name, artifact));
}

function jarOf({ type, url = "", fileName, artifact = "", version = "" }: BuildArtifact): string | null {
  if (type === "maven") return `${artifact}-${version}.jar`;
  const isFile = type === "jar" || type === "other";
  return isFile ? posix.basename(fileName ?? URL.parse(url)?.pathname ?? "") : null;
}

function directoryOf(plugin: string, artifact: BuildArtifact): string {
  return `${ARTIFACT_PLUGINS_DIR}/${plugin}/${hashOf(artifact)}`;
}

function hashOf(artifact: BuildArtifact): string {
  return createHash("sha256").update(JSON.stringify(artifact)).digest("hex").slice(0, 8);
}

export function hasArtifacts({ files, insecureFiles, maven }: Artifacts): boolean {
  return files.length + insecureFiles.length + maven.length > 0;
}

function toPom({ group = "", artifact = "", version = "", repository }: BuildArtifact): string {
  const repositories =
    repository === undefined
      ? ""
      : `<repositories><repository><id>custom</id><url>${xml(repository)}</url></repository></repositories>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>dev.headrace</groupId><artifactId>plugin</artifactId><version>1</version><packaging>pom</packaging>
${repositories}
<dependencies><dependency>
<groupId>${xml(group)}</groupId><artifactId>${xml(artifact)}</artifactId><version>${xml(version)}</version>
</dependency></dependencies>
</project>
`;
}

function toSettings({ mirrors = [] }: BuildArtifact): string {
  const each = mirrors.map(
    ({ url }, index) => `<mirror><id>mirror-${index}</id><mirrorOf>*</mirrorOf><url>${xml(url)}</url></mirror>`,
  );
  return `<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors>${each.join("")}</mirrors></settings>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function xml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
