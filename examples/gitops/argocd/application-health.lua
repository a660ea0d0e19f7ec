-- An Application is as healthy as Argo CD says of what is in it; without this script a wave does not wait for the Applications of the wave before.
local health = obj.status ~= nil and obj.status.health or nil
if health == nil or health.status == nil then
  return { status = "Progressing", message = "Argo CD has not looked at it yet" }
end
return { status = health.status, message = health.message or "" }
