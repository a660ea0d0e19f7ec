import { mavenFile } from "./maven-artifact.ts";

const VERSION = "2.33.1";

/** OpenTelemetry's agent for Java (jar). */
export function opentelemetryAgent(): Promise<string> {
  return mavenFile({
    title: "OpenTelemetry's agent for Java",
    artifact: `io.opentelemetry.javaagent:opentelemetry-javaagent:${VERSION}`,
    name: `opentelemetry-javaagent-${VERSION}.jar`,
    folder: "opentelemetry",
  });
}
