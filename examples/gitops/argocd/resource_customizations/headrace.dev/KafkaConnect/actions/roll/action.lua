-- As `kubectl rollout restart`: a new annotation of the pods makes a new revision of them.
local os = require("os")
local function inside(owner, name)
  if owner[name] == nil then
    owner[name] = {}
  end
  return owner[name]
end
local metadata = inside(inside(inside(obj.spec, "template"), "pod"), "metadata")
inside(metadata, "annotations")["headrace.dev/rolled-at"] = os.date("!%Y-%m-%dT%XZ")
return obj
