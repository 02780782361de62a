{{- define "diarchy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of what a release makes in its namespace. */}}
{{- define "diarchy.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "diarchy.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "diarchy.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The name of what it makes outside of namespaces: releases in two namespaces may have one name. */}}
{{- define "diarchy.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "diarchy.fullname" .) }}
{{- end }}

{{- define "diarchy.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "diarchy.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "diarchy.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "diarchy.selector" -}}
app.kubernetes.io/name: {{ include "diarchy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "diarchy.labels" -}}
{{ include "diarchy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What the "restricted" standard of Pod Security asks of a container, and a root that nobody writes. */}}
{{- define "diarchy.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ ALL ]
{{- end }}

{{- define "diarchy.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/*
The rules of a Role, from a list of the table in files/permissions.yaml. An entry with `name: namespace`
is about the object of that name as the namespace of the release.
*/}}
{{- define "diarchy.rules" -}}
{{- range .rules }}
- apiGroups: [ {{ .group | quote }} ]
  resources: [ {{ .resource | quote }} ]
  verbs: {{ .verbs | toJson }}
  {{- if eq (default "" .name) "namespace" }}
  resourceNames: [ {{ $.namespace | quote }} ]
  {{- end }}
{{- end }}
{{- end }}
