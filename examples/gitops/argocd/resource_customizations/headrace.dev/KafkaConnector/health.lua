-- Health of KafkaConnect and KafkaConnector (headrace.dev); the same for both kinds.
local hs = { status = "Progressing", message = "Waiting for the operator" }
if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "Being deleted"
  return hs
end
if obj.status == nil or obj.status.conditions == nil then
  return hs
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  hs.message = "The operator has not seen the latest change yet"
  return hs
end
local ready = "Unknown"
local paused = nil
local stalled = false
for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Ready" then
    ready = condition.status
    hs.message = condition.message
  elseif condition.type == "Stalled" and condition.status == "True" then
    stalled = true
  elseif condition.type == "ReconciliationPaused" and condition.status == "True" then
    paused = condition.message
  end
end
if stalled then
  hs.status = "Degraded"
elseif paused ~= nil then
  hs.status = "Suspended"
  hs.message = paused
elseif ready == "True" then
  hs.status = "Healthy"
end
return hs
