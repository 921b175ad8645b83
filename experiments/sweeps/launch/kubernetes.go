package launch

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
)

// Kubernetes are workers on a Kubernetes cluster.
type Kubernetes struct {
	Workers
	Image     string
	Namespace string // "": that of whoever creates the jobs
	Claim     string // persistent volume claim of shared storage, or ""
	Mount     string // where it is in a worker
	Secret    string // that holds the server's token, or ""
	SecretKey string // its key
}

// MaxIndexes bounds how many workers run at once in an Indexed Job: Kubernetes refuses more with
// a limit for each index.
const MaxIndexes = 10000

// Files returns manifests of Indexed Jobs, each with at most PerJob workers.
//
// A pod that fails is begun again six times. One that is evicted or preempted hands its trial back and
// fails, but does not count. Time is that of each Job, from its beginning.
func (k *Kubernetes) Files() ([]File, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	var files []File
	for _, p := range k.parts() {
		text, err := yaml.MarshalWithOptions(k.job(p), yaml.IndentSequence(true))
		if err != nil {
			return nil, fmt.Errorf("write the manifest of job %d: %w", p.number, err)
		}
		name := fmt.Sprintf("workers-%d.yaml", p.number)
		head := fmt.Sprintf("# Workers %d to %d of %d of the sweep %s, by pkm sweep launch kubernetes. Begin them with: kubectl create -f %s\n", p.first+1, p.first+p.count, k.Count, k.Name, name)
		files = append(files, File{name, head + string(text), p.count})
	}
	return files, nil
}

// What Kubernetes calls a DNS label and a DNS subdomain, and the key of a secret.
const (
	labelForm     = `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`
	subdomainForm = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	keyForm       = `^[-._a-zA-Z0-9]+$`
)

// imageForm is that of a reference to an image: HOST:PORT/NAME/NAME:TAG@DIGEST, of which one name must be there
// (github.com/distribution/reference).
const imageForm = `^(([-.a-zA-Z0-9]+|\[[0-9a-fA-F:]+\])(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[_a-zA-Z0-9][-._a-zA-Z0-9]{0,127})?(@[a-zA-Z0-9+._-]+:[0-9a-fA-F]{32,})?$`

func (k *Kubernetes) check() error {
	if err := k.Workers.check(); err != nil {
		return err
	}
	if err := printable("--image", k.Image, "--mount", k.Mount); err != nil {
		return err
	}
	for _, name := range []struct{ option, value, form, of string }{
		{"--namespace", k.Namespace, labelForm, "lower-case letters, digits and hyphens, 63 at most"},
		{"--claim", k.Claim, subdomainForm, "lower-case letters, digits, hyphens and full stops"},
		{"--token-secret", k.Secret, subdomainForm, "lower-case letters, digits, hyphens and full stops, then / and a key"},
		{"--token-secret", k.SecretKey, keyForm, "a name, then / and a key of letters, digits, hyphens, underscores and full stops"},
	} {
		if name.value != "" && (len(name.value) > 253 || !regexp.MustCompile(name.form).MatchString(name.value)) {
			return &OptionError{name.option, fmt.Sprintf("is %q; it is made of %s", name.value, name.of)}
		}
	}
	switch {
	case k.PerJob > MaxIndexes:
		return &OptionError{"--max-array", fmt.Sprintf("is %d; %d is the most of Kubernetes", k.PerJob, MaxIndexes)}
	case k.Image == "":
		return &OptionError{"--image", "is missing: that of a container that holds pkm, such as --image registry.example/pkm:1"}
	case !regexp.MustCompile(imageForm).MatchString(k.Image):
		return &OptionError{"--image", fmt.Sprintf("is %q, which is invalid; it is a name such as registry.example/pkm:1, in lower case but for the tag", k.Image)}
	case k.Claim != "" && (!path.IsAbs(k.Mount) || strings.Contains(k.Mount, ":")):
		return &OptionError{"--mount", fmt.Sprintf("is %q; it is an absolute path without a colon", k.Mount)}
	case !path.IsAbs(k.Dir):
		return &OptionError{"--dir", fmt.Sprintf("is %q; it is an absolute path", k.Dir)}
	case k.Secret != "" && k.TokenFile != "":
		return &OptionError{"--token-secret", "does not go with --token-file"}
	}
	return nil
}

// text is a string of whose look nothing is known: it stands in double quotes.
type text string

// MarshalYAML returns the text in JSON, which is YAML.
func (t text) MarshalYAML() ([]byte, error) { return json.Marshal(string(t)) }

// job returns the manifest of one Job, as its API has it (batch/v1).
func (k *Kubernetes) job(p part) yaml.MapSlice {
	labels := yaml.MapSlice{{Key: "app.kubernetes.io/name", Value: "pkm"}, {Key: "app.kubernetes.io/component", Value: "worker"}, {Key: "app.kubernetes.io/instance", Value: text(k.label())}}
	metadata := yaml.MapSlice{{Key: "generateName", Value: text(fmt.Sprintf("pkm-%s-%d-", k.label(), p.number))}}
	if k.Namespace != "" {
		metadata = append(metadata, yaml.MapItem{Key: "namespace", Value: text(k.Namespace)})
	}
	spec := yaml.MapSlice{{Key: "completionMode", Value: "Indexed"}, {Key: "completions", Value: p.count}, {Key: "parallelism", Value: p.count}, {Key: "backoffLimitPerIndex", Value: 6}}
	if k.Time > 0 {
		spec = append(spec, yaml.MapItem{Key: "activeDeadlineSeconds", Value: int(k.Time.Seconds())})
	}
	spec = append(spec,
		yaml.MapItem{Key: "podFailurePolicy", Value: yaml.MapSlice{{Key: "rules", Value: []yaml.MapSlice{
			{{Key: "action", Value: "Ignore"}, {Key: "onPodConditions", Value: []yaml.MapSlice{{{Key: "type", Value: "DisruptionTarget"}, {Key: "status", Value: text("True")}}}}}}}}},
		yaml.MapItem{Key: "template", Value: yaml.MapSlice{{Key: "metadata", Value: yaml.MapSlice{{Key: "labels", Value: labels}}}, {Key: "spec", Value: k.pod()}}})
	return yaml.MapSlice{{Key: "apiVersion", Value: "batch/v1"}, {Key: "kind", Value: "Job"}, {Key: "metadata", Value: append(metadata, yaml.MapItem{Key: "labels", Value: labels})}, {Key: "spec", Value: spec}}
}

// pod returns the specification of a worker's pod.
func (k *Kubernetes) pod() yaml.MapSlice {
	var args []text
	for _, a := range append(k.arguments(), "--hand-back-code", "143") {
		args = append(args, text(escape(a)))
	}
	var variables []yaml.MapSlice
	for _, v := range k.threads() {
		variables = append(variables, yaml.MapSlice{{Key: "name", Value: v[0]}, {Key: "value", Value: text(v[1])}})
	}
	if k.Secret != "" {
		from := yaml.MapSlice{{Key: "secretKeyRef", Value: yaml.MapSlice{{Key: "name", Value: text(k.Secret)}, {Key: "key", Value: text(k.SecretKey)}}}}
		variables = append(variables, yaml.MapSlice{{Key: "name", Value: "PKM_SERVER_TOKEN"}, {Key: "valueFrom", Value: from}})
	}
	amounts := yaml.MapSlice{{Key: "cpu", Value: k.CPUs}, {Key: "memory", Value: fmt.Sprintf("%dMi", k.mebibytes())}}
	// Without shared storage runs stay in the pod.
	mount, volume := k.Dir, yaml.MapItem{Key: "emptyDir", Value: yaml.MapSlice{}}
	if k.Claim != "" {
		mount, volume = k.Mount, yaml.MapItem{Key: "persistentVolumeClaim", Value: yaml.MapSlice{{Key: "claimName", Value: text(k.Claim)}}}
	}
	container := yaml.MapSlice{{Key: "name", Value: "worker"}, {Key: "image", Value: text(k.Image)}, {Key: "command", Value: []text{text(escape(k.Program))}}, {Key: "args", Value: args}}
	if k.WorkDir != "" {
		container = append(container, yaml.MapItem{Key: "workingDir", Value: text(k.WorkDir)})
	}
	container = append(container, yaml.MapSlice{{Key: "env", Value: variables}, {Key: "resources", Value: yaml.MapSlice{{Key: "requests", Value: amounts}, {Key: "limits", Value: amounts}}},
		{Key: "securityContext", Value: yaml.MapSlice{{Key: "allowPrivilegeEscalation", Value: false}}},
		{Key: "volumeMounts", Value: []yaml.MapSlice{{{Key: "name", Value: "sweep"}, {Key: "mountPath", Value: text(mount)}}}}}...)
	return yaml.MapSlice{{Key: "restartPolicy", Value: "Never"}, {Key: "automountServiceAccountToken", Value: false}, {Key: "terminationGracePeriodSeconds", Value: int(handBack.Seconds())},
		{Key: "containers", Value: []yaml.MapSlice{container}},
		{Key: "volumes", Value: []yaml.MapSlice{{{Key: "name", Value: "sweep"}, volume}}}}
}

// escape keeps Kubernetes from taking $(NAME) in an argument for a variable, and $$ for $.
func escape(argument string) string { return strings.ReplaceAll(argument, "$", "$$") }

// label returns the sweep's name as part of a DNS label, short enough for what Kubernetes
// appends to it.
func (k *Kubernetes) label() string {
	name := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(k.Name), "-")
	name = strings.Trim(name[:min(len(name), 30)], "-")
	if name == "" {
		return "sweep"
	}
	return name
}
