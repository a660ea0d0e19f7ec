import { config, type PluginMetrics } from "@headrace/sdk";
import { z } from "zod";
import { chooseProvider } from "./credential-sources.ts";
import { keepCredentials } from "./credentials.ts";
import { endpointOf } from "./endpoint.ts";
import { createObjectStore, type ObjectStore } from "./object-store.ts";
import { createSender } from "./sender.ts";

/** Keys of sink and source: where the bucket is, and as who. */
export const CONNECTION_KEYS = config.group("Connection", {
  "s3.bucket.name": config.nonEmpty().describe("The bucket."),
  "s3.region": config.nonEmpty().default("us-west-2").describe("Its region, which is a part of each signature."),
  "store.url": config
    .httpUrl()
    .optional()
    .describe(
      "Endpoint, for instance https://s3.eu-de.cloud-object-storage.appdomain.cloud; not given: AWS's of the region.",
    ),
  "s3.path.style.access.enabled": config
    .boolean()
    .default(true)
    .describe("Whether the bucket stands in the path of URLs, which every server takes, or in the host name."),
  "aws.access.key.id": config
    .password()
    .optional()
    .describe("Access key. Not given: the worker's own identity, see Credentials."),
  "aws.secret.access.key": config.password().optional().describe("Secret of the access key."),
  "aws.session.token": config
    .password()
    .optional()
    .describe("Session token, for keys that end.")
    .meta({ importance: "LOW" }),
  "aws.profile": config
    .text()
    .default("")
    .describe("Profile of the shared credentials file.")
    .meta({ importance: "LOW" }),
  "aws.role.arn": config
    .text()
    .default("")
    .describe("Role to take with a web identity; not given: AWS_ROLE_ARN, as set for service accounts (IRSA)."),
  "aws.web.identity.token.file": config
    .text()
    .default("")
    .describe("File with the web identity's token; not given: AWS_WEB_IDENTITY_TOKEN_FILE."),
  "ibm.api.key": config.password().optional().describe("API key of IBM Cloud, instead of AWS's keys."),
  "ibm.trusted.profile.id": config
    .text()
    .default("")
    .describe("Trusted profile of IBM Cloud to take with the pod's own token, instead of AWS's keys."),
  "ibm.token.file": config
    .text()
    .default("/var/run/secrets/tokens/sa-token")
    .describe("File with the pod's token, for the trusted profile.")
    .meta({ importance: "LOW" }),
  "ibm.iam.url": config
    .httpUrl()
    .default("https://iam.cloud.ibm.com")
    .describe("IBM Cloud's token service.")
    .meta({ importance: "LOW" }),
  "s3.request.timeout.ms": config
    .int({ min: 1 })
    .default(60_000)
    .describe("Longest time without a sign of the server, ms."),
  "s3.part.retries": config
    .int({ min: 0 })
    .default(3)
    .describe(
      "Tries of a request after the first, for throttling (503 SlowDown), errors of the server and broken connections. Then the worker waits and starts the whole step again.",
    ),
  "s3.retry.backoff.ms": config
    .int({ min: 0 })
    .default(200)
    .describe("Pause before the first of these tries, doubled each time, ms."),
});

const CONNECTION = z.object(CONNECTION_KEYS);
export type ConnectionSettings = z.output<typeof CONNECTION>;

/** What has to be outside of the connector to reach the bucket. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  readonly random: () => number;
}

/** The bucket of a configuration. Connects to nothing yet. */
export function openStore(
  settings: ConnectionSettings,
  surroundings: Surroundings,
  metrics?: PluginMetrics,
): ObjectStore {
  const region = settings["s3.region"];
  const endpoint = endpointOf({
    url: settings["store.url"] ?? "",
    region,
    bucket: settings["s3.bucket.name"],
    pathStyle: settings["s3.path.style.access.enabled"],
  });
  const provider = chooseProvider(
    {
      accessKeyId: settings["aws.access.key.id"]?.reveal() ?? "",
      secretAccessKey: settings["aws.secret.access.key"]?.reveal() ?? "",
      sessionToken: settings["aws.session.token"]?.reveal() ?? "",
      profile: settings["aws.profile"],
      roleArn: settings["aws.role.arn"],
      webIdentityTokenFile: settings["aws.web.identity.token.file"],
      ibmApiKey: settings["ibm.api.key"]?.reveal() ?? "",
      ibmProfileId: settings["ibm.trusted.profile.id"],
      ibmTokenFile: settings["ibm.token.file"],
      ibmIamUrl: settings["ibm.iam.url"],
      region,
    },
    surroundings.env,
  );
  const sent = metrics?.counter("s3-requests", "Requests sent to the S3 server.");
  const sender = createSender({
    credentials: keepCredentials(provider, surroundings.now),
    region,
    timeoutMs: settings["s3.request.timeout.ms"],
    retries: settings["s3.part.retries"],
    backoffMs: settings["s3.retry.backoff.ms"],
    random: surroundings.random,
    sent: () => sent?.add(),
  });
  return createObjectStore(endpoint, sender);
}

/** Keys that are missing beside those that are there, with what to say. */
export function connectionProblems(settings: ConnectionSettings): readonly (readonly [string, string])[] {
  const id = settings["aws.access.key.id"] !== undefined;
  const secret = settings["aws.secret.access.key"] !== undefined;
  const url = URL.parse(settings["store.url"] ?? "");
  if (url !== null && (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== ""))
    return [["store.url", "store.url has a host and maybe a path, nothing else: credentials have keys of their own"]];
  if (url !== null && url.pathname !== "/" && !settings["s3.path.style.access.enabled"])
    return [["store.url", "store.url has no path with s3.path.style.access.enabled=false"]];
  if (id && !secret) return [["aws.secret.access.key", "aws.secret.access.key is needed with aws.access.key.id"]];
  if (secret && !id) return [["aws.access.key.id", "aws.access.key.id is needed with aws.secret.access.key"]];
  return [];
}
