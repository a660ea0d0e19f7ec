obj.spec.state = "paused"
return obj
