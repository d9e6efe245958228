package sigstore

import "fmt"

// fulcioConfig says whose tokens are taken, and what of a workflow's or pipeline's
// token goes into its certificate: all that the public instance writes there
// (Fulcio, config/identity/config.yaml).
func (s *Stack) fulcioConfig() string {
	return fmt.Sprintf(`oidc-issuers:
  %[1]s: {issuer-url: %[1]s, client-id: %[4]s, type: email}
  %[2]s: {issuer-url: %[2]s, client-id: %[4]s, type: ci-provider, ci-provider: workflows}
  %[3]s: {issuer-url: %[3]s, client-id: %[4]s, type: ci-provider, ci-provider: pipelines}
ci-issuer-metadata:
  workflows:
    default-template-values: {url: "https://github.com"}
    subject-alternative-name-template: "{{ .url }}/{{ .job_workflow_ref }}"
    extension-templates:
      github-workflow-trigger: event_name
      github-workflow-sha: sha
      github-workflow-name: workflow
      github-workflow-repository: repository
      github-workflow-ref: ref
      build-signer-uri: "{{ .url }}/{{ .job_workflow_ref }}"
      build-signer-digest: job_workflow_sha
      build-config-uri: "{{ .url }}/{{ .workflow_ref }}"
      build-config-digest: workflow_sha
      build-trigger: event_name
      run-invocation-uri: "{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}"
      source-repository-uri: "{{ .url }}/{{ .repository }}"
      source-repository-digest: sha
      source-repository-ref: ref
      source-repository-identifier: repository_id
      source-repository-owner-uri: "{{ .url }}/{{ .repository_owner }}"
      source-repository-owner-identifier: repository_owner_id
      source-repository-visibility-at-signing: repository_visibility
      runner-environment: runner_environment
  pipelines:
    default-template-values: {url: "https://gitlab.com"}
    subject-alternative-name-template: "https://{{ .ci_config_ref_uri }}"
    extension-templates:
      build-signer-uri: "https://{{ .ci_config_ref_uri }}"
      build-signer-digest: ci_config_sha
      build-config-uri: "https://{{ .ci_config_ref_uri }}"
      build-config-digest: ci_config_sha
      build-trigger: pipeline_source
      run-invocation-uri: "{{ .url }}/{{ .project_path }}/-/jobs/{{ .job_id }}"
      source-repository-uri: "{{ .url }}/{{ .project_path }}"
      source-repository-digest: sha
      source-repository-ref: refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}
      source-repository-identifier: project_id
      source-repository-owner-uri: "{{ .url }}/{{ .namespace_path }}"
      source-repository-owner-identifier: namespace_id
      source-repository-visibility-at-signing: project_visibility
      runner-environment: runner_environment
`, s.Issuers.People, s.Issuers.Workflows, s.Issuers.Pipelines, audience)
}
