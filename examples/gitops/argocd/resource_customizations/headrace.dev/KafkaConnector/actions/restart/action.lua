-- The operator takes the annotation off when it has done it.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["headrace.dev/restart"] = "includeTasks"
return obj
