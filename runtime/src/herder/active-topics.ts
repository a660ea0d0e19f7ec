import type { StatusStore } from "../store/stores.ts";

/** Which topics connectors work with, as it stands in the status topic (KIP-558). */
export interface ActiveTopics {
  /** A task has used a topic. Written once per connector and topic, until that is reset. */
  used(use: { readonly connector: string; readonly task: number; readonly topic: string }): void;
}

/** Creates it; nothing is written unless `topicTracking`. */
export function createActiveTopics(options: {
  readonly statusStore: Pick<StatusStore, "putTopic" | "topics">;
  readonly topicTracking: boolean;
  /** False for a connector that was deleted while its tasks still told of topics. */
  readonly isConfigured: (connector: string) => boolean;
}): ActiveTopics {
  const { statusStore, topicTracking, isConfigured } = options;
  return {
    used({ connector, task, topic }) {
      if (!topicTracking || !isConfigured(connector)) return;
      if (!statusStore.topics(connector).includes(topic)) statusStore.putTopic(connector, topic, task);
    },
  };
}
