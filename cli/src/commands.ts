import { runConnectors } from "./connectors.ts";
import type { Console } from "./console.ts";
import { runConvert } from "./convert.ts";
import { EXIT, UsageError, UserError } from "./errors.ts";
import { runValidate } from "./validate.ts";

export const HELP = `Usage: headrace COMMAND [OPTION]...

  convert      resources of Strimzi, Event Streams, Confluent for Kubernetes or the REST API to Headrace's, and back
  validate     check KafkaConnects and KafkaConnectors before they are applied
  connectors   list connectors, look at one, restart, pause, resume or stop it

  headrace COMMAND --help tells more; --version prints the version.
  As kubectl-headrace on the PATH it is kubectl's plugin: kubectl headrace COMMAND.
`;

export interface CommandEnvironment extends Console {
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Runs one command line; answers the exit code. Problems that a user can solve are told on standard error. */
export async function runCommand(args: readonly string[], world: CommandEnvironment): Promise<number> {
  const [command, ...rest] = args;
  try {
    switch (command) {
      case "convert":
        return await runConvert(rest, world);
      case "validate":
        return await runValidate(rest, world);
      case "connectors":
        return await runConnectors(rest, world);
      case "--version":
        world.out(`${world.version}\n`);
        return EXIT.ok;
      case "--help":
      case "-h":
      case "help":
        world.out(HELP);
        return EXIT.ok;
      case undefined:
        world.err(HELP);
        return EXIT.usage;
      default:
        throw new UsageError(`there is no command ${command}`);
    }
  } catch (error) {
    if (error instanceof UserError) {
      world.err(`headrace: ${error.message}\n`);
      return EXIT.failed;
    }
    if (error instanceof UsageError || isOptionError(error)) {
      world.err(`headrace: ${error.message}; see headrace ${command === undefined ? "" : `${command} `}--help\n`);
      return EXIT.usage;
    }
    throw error;
  }
}

/** Node's parseArgs about an option that does not exist or lacks its value. */
function isOptionError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}
