/**
 * Argo CD's health check of kafka.strimzi.io's KafkaConnect and KafkaConnector, as a Lua script of our own with the same results:
 * NotReady is Degraded whatever its reason is, Ready is Healthy, whichever comes first, and all else is on its way.
 * Source: argo-cd, resource_customizations/kafka.strimzi.io/{KafkaConnect,KafkaConnector}/health.lua, which differ in the last message
 * only. (Creating is no failure to its check of kind Kafka alone.)
 */
export const STRIMZI_CHECK = `
local verdicts = { NotReady = "Degraded", Ready = "Healthy" }
for _, one in ipairs(obj.status and obj.status.conditions or {}) do
  local verdict = verdicts[one.type]
  if verdict and one.status == "True" then
    return { status = verdict, message = verdict == "Degraded" and one.message or "" }
  end
end
return { status = "Progressing", message = "Waiting" }
`;
