local actions = {}
local state = obj.spec.state or "running"
local function add(name, disabled, icon, title)
  actions[name] = { ["disabled"] = disabled, ["iconClass"] = "fa fa-fw fa-" .. icon, ["displayName"] = title }
end
add("restart", state ~= "running", "recycle", "Restart the connector and its tasks")
add("restart-failed", state ~= "running", "rotate-right", "Restart what has failed")
add("pause", state == "paused", "pause", "Pause: tasks stay, no records move")
add("stop", state == "stopped", "stop", "Stop: no tasks, offsets can be changed")
add("resume", state == "running", "play", "Run again")
return actions
