import type { FastifyInstance } from "fastify";
import { ConnectError } from "../errors.ts";
import type { RequestedOffset } from "../herder/sink-offsets.ts";
import { isJsonObject, type JsonValue, parseJson, toJson } from "../json.ts";
import type { RestApi } from "./api.ts";
import { cannotDeserialize } from "./body.ts";
import { doOrForward } from "./forward.ts";
import { resource } from "./resource.ts";

/** `/connectors/{c}/offsets` (contract §5.5), and our own beside it, the lag of a sink. Integers of 64 bits stay what they are, both ways. */
export function offsetsResource(app: FastifyInstance, api: Pick<RestApi, "offsets" | "openScope" | "fetch">): void {
  const { offsets } = api;
  resource(app, "/headrace/connectors/:connector/lag", {
    GET: async ({ param }) => {
      const scope = api.openScope();
      return { status: 200, body: await scope.run(() => offsets.lag(param("connector"), scope)) };
    },
  });

  resource(app, "/connectors/:connector/offsets", {
    GET: async ({ param }) => {
      const scope = api.openScope();
      const found = await scope.run(() => offsets.offsets(param("connector"), scope));
      return { status: 200, text: toJson(found) };
    },
    PATCH: (incoming) => {
      const name = incoming.param("connector");
      const { raw } = incoming.body;
      const wanted = readRequest(raw.length === 0 ? null : parseJson(raw.toString()));
      return doOrForward(api, incoming, {
        here: (scope) => offsets.alterOffsets(name, wanted, scope),
        answer: (body) => ({ status: 200, body }),
        there: { method: "PATCH", path: `connectors/${encodeURIComponent(name)}/offsets`, body: raw },
      });
    },
    DELETE: (incoming) => {
      const name = incoming.param("connector");
      return doOrForward(api, incoming, {
        here: (scope) => offsets.resetOffsets(name, scope),
        answer: (body) => ({ status: 200, body }),
        there: { method: "DELETE", path: `connectors/${encodeURIComponent(name)}/offsets` },
      });
    },
  });
}

function readRequest(body: JsonValue): readonly RequestedOffset[] {
  if (body === null) throw cannotDeserialize("an object with offsets", body);
  const { offsets } = readObject(body, ["offsets"]);
  if (offsets === undefined || offsets === null || (Array.isArray(offsets) && offsets.length === 0)) {
    throw new ConnectError("bad-request", "Partitions / offsets need to be provided for an alter offsets request");
  }
  if (!isList(offsets)) throw cannotDeserialize("a list", offsets);
  return offsets.map((entry) => {
    const { partition = null, offset = null } = readObject(entry, ["partition", "offset"]);
    return { partition: readMap(partition), offset: readMap(offset) };
  });
}

function readObject(json: JsonValue, known: readonly string[]): Readonly<Record<string, JsonValue>> {
  if (!isJsonObject(json)) throw cannotDeserialize("an object", json);
  for (const key of Object.keys(json)) {
    if (!known.includes(key)) throw new ConnectError("internal", `Unrecognized field "${key}"`);
  }
  return json;
}

function readMap(json: JsonValue): Readonly<Record<string, JsonValue>> | null {
  if (json === null || isJsonObject(json)) return json;
  throw cannotDeserialize("a map", json);
}

function isList(json: JsonValue): json is readonly JsonValue[] {
  return Array.isArray(json);
}
