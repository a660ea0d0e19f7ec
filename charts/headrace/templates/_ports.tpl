{{/* Value of HEADRACE_WATCH_NAMESPACES. Empty is the operator's own. */}}
{{- define "headrace.watchNamespaces" -}}
{{- if eq .Values.watch.mode "all" }}*{{ else if eq .Values.watch.mode "listed" }}{{ .Values.watch.namespaces | uniq | join "," }}{{ end }}
{{- end }}

{{/* Ports of the operator's container. A new one is added here, in headrace.servicePorts and in networkpolicy.yaml. */}}
{{- define "headrace.containerPorts" -}}
- { name: metrics, containerPort: 8080, protocol: TCP }
{{- if .Values.api.enabled }}
- { name: api, containerPort: 8443, protocol: TCP }
{{- end }}
{{- if .Values.webhook.enabled }}
- { name: webhook, containerPort: 9443, protocol: TCP }
{{- end }}
{{- end }}

{{/* Ports of the operator's Service. */}}
{{- define "headrace.servicePorts" -}}
- { name: metrics, port: 8080, targetPort: metrics, protocol: TCP }
{{- if .Values.webhook.enabled }}
- { name: webhook, port: 443, targetPort: webhook, protocol: TCP }
{{- end }}
{{- end }}

{{/* Name of the ValidatingWebhookConfiguration. */}}
{{- define "headrace.webhookName" -}}
{{ include "headrace.fullname" . }}-{{ .Release.Namespace }}
{{- end }}
