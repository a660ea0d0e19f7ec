local actions = {}
local annotations = obj.metadata.annotations or {}
local paused = annotations["headrace.dev/pause-reconciliation"] == "true"
  or annotations["strimzi.io/pause-reconciliation"] == "true"
actions["roll"] = {
  ["disabled"] = paused or obj.spec.replicas == 0,
  ["iconClass"] = "fa fa-fw fa-recycle",
  ["displayName"] = "Replace the workers, one at a time",
}
actions["pause-reconciliation"] = {
  ["disabled"] = paused,
  ["iconClass"] = "fa fa-fw fa-pause",
  ["displayName"] = "Leave the cluster as it is",
}
actions["resume-reconciliation"] = {
  ["disabled"] = not paused,
  ["iconClass"] = "fa fa-fw fa-play",
  ["displayName"] = "Work on the cluster again",
}
return actions
