{{/* Name of the chart, or what replaces it. */}}
{{- define "headrace.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of all objects: the release's, with the chart's unless it is in there. */}}
{{- define "headrace.fullname" -}}
{{- $name := include "headrace.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* Name of the operator's ServiceAccount. */}}
{{- define "headrace.serviceAccountName" -}}
{{- default (ternary (include "headrace.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{/* Labels by which the operator's pods are found. They never change: a Deployment's selector cannot. */}}
{{- define "headrace.selectorLabels" -}}
app.kubernetes.io/name: {{ include "headrace.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{/* Labels of all objects. */}}
{{- define "headrace.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: headrace
{{ include "headrace.selectorLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Reference of an image: (dict "image" .Values.image "root" $). A digest goes before a tag. */}}
{{- define "headrace.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end }}
{{- end }}

{{/* The namespaces with a Role of their own, as JSON; empty when all are watched. */}}
{{- define "headrace.roleNamespaces" -}}
{{- if eq .Values.watch.mode "own" }}{{ list .Release.Namespace | toJson }}
{{- else if eq .Values.watch.mode "listed" }}{{ .Values.watch.namespaces | uniq | toJson }}
{{- else }}[]{{ end }}
{{- end }}

{{/* The groups of foreignApis without versions, as JSON. */}}
{{- define "headrace.foreignGroups" -}}
{{- $groups := list }}
{{- range .Values.foreignApis }}{{ $groups = append $groups (splitList "/" . | first) }}{{ end }}
{{- $groups | uniq | toJson }}
{{- end }}

{{/* What the operator may do in namespaces that it watches. */}}
{{- define "headrace.watchedRules" -}}
{{- include "headrace.rules.namespaced" . }}
{{- if .Values.foreignApis }}
{{- include "headrace.rules.foreign" . }}
{{- end }}
{{- end }}

{{/* Name of the role and binding by which workers read nodes; the operator is told it. */}}
{{- define "headrace.rackName" -}}
{{ include "headrace.fullname" . }}-{{ .Release.Namespace }}-rack
{{- end }}

{{/* The operator, as the subject of a binding. */}}
{{- define "headrace.subjects" -}}
- kind: ServiceAccount
  name: {{ include "headrace.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
