if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["headrace.dev/pause-reconciliation"] = "true"
return obj
