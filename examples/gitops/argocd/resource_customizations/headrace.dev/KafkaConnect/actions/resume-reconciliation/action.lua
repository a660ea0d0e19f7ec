if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["headrace.dev/pause-reconciliation"] = nil
  obj.metadata.annotations["strimzi.io/pause-reconciliation"] = nil
end
return obj
