obj.spec.state = "stopped"
return obj
