/** Fields of a KafkaConnect's spec: a group and topics of state by this name, so that no other cluster of the same Kafka has them. */
export function ownGroup(name: string) {
  return {
    groupId: name,
    configStorageTopic: `${name}-configs`,
    offsetStorageTopic: `${name}-offsets`,
    statusStorageTopic: `${name}-status`,
  };
}
