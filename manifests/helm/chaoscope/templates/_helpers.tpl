{{/* What several templates say. To add one: here only if two need it. */}}

{{- define "chaoscope.labels" -}}
app.kubernetes.io/name: chaoscope
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Several installations of one namespace are told apart by nothing: selectors are those of manifests/base. */}}
{{- define "chaoscope.selector" -}}
app.kubernetes.io/name: chaoscope
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "chaoscope.image" -}}
image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end }}

{{/* A map of variables as a list, sorted by name. */}}
{{- define "chaoscope.env" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* A second replica is not scraped: its series would be the first one's again. */}}
{{- define "chaoscope.podAnnotations" -}}
{{- $all := dict }}
{{- if and .root.Values.prometheusAnnotations.enabled (ne .component "second") }}
{{- $all = dict "prometheus.io/scrape" "true" "prometheus.io/port" "10765" "prometheus.io/path" "/metrics" }}
{{- end }}
{{- $all = merge $all .annotations }}
{{- with $all }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* By which a Prometheus selects monitors and rules. */}}
{{- define "chaoscope.operatorLabels" -}}
{{- $labels := deepCopy .Values.prometheusOperator.labels }}
{{- with .Values.prometheusOperator.release }}
{{- $_ := set $labels "release" . }}
{{- end }}
{{- with $labels }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* Of what the cluster role serves. */}}
{{- define "chaoscope.scheme" -}}
{{- if .Values.tls.enabled }}scheme: HTTPS{{ end }}
{{- end }}

{{/* AppArmor's field is Kubernetes 1.30's; before, it is an annotation. */}}
{{- define "chaoscope.hasAppArmorField" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}yes{{ end }}
{{- end }}

{{/* What looking takes, less what has no namespace. */}}
{{- define "chaoscope.looking" -}}
- apiGroups: [chaos-mesh.org]
  resources:
    - awschaos
    - azurechaos
    - blockchaos
    - dnschaos
    - gcpchaos
    - httpchaos
    - iochaos
    - jvmchaos
    - kernelchaos
    - networkchaos
    - physicalmachinechaos
    - physicalmachines
    - podchaos
    - podhttpchaos
    - podiochaos
    - podnetworkchaos
    - schedules
    - statuschecks
    - stresschaos
    - timechaos
    - workflownodes
    - workflows
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events, pods]
  verbs: [get, list, watch]
{{- end }}
