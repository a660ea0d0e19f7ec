import { mavenFile } from "./maven-artifact.ts";

const VERSION = "1.0.1";

/** The agent of Prometheus's JMX exporter (jar). */
export function jmxExporterJar(): Promise<string> {
  return mavenFile({
    title: "the JMX exporter",
    artifact: `io.prometheus.jmx:jmx_prometheus_javaagent:${VERSION}`,
    name: `jmx_prometheus_javaagent-${VERSION}.jar`,
    folder: "jmx-exporter",
  });
}
