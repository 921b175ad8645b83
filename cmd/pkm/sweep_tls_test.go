//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a certificate authority that lives as long as a test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string // its certificate
}

// sign returns the files of a certificate and its key; by nil, it signs itself.
func sign(t *testing.T, template *x509.Certificate, by *authority) (certificate, key string, a *authority) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	signer, parent := private, template
	if by != nil {
		signer, parent = by.key, by.certificate
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate = write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	key = write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key, &authority{parsed, private, certificate}
}

func newAuthority(t *testing.T, name string) *authority {
	_, _, a := sign(t, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}, nil)
	return a
}

// Over TLS the server is trusted for its authority and its name, and for nothing else.
func TestSweepOverTLS(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	certificate, key, _ := sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ours)
	const token = "s3cret"
	port := freePort(t)
	startNATS(t, exec.Command(natsProgram(t)), fmt.Sprintf("listen: \"127.0.0.1:%d\"\nauthorization { token: %q }\ntls { cert_file: %q, key_file: %q }\n", port, token, certificate, key))
	address, secret := fmt.Sprintf("127.0.0.1:%d", port), write(t, "token", token)

	file := sweepFiles(t, quick, "method: grid\nmetric: {name: network.query_loss}\nparameters:\n  seed: {values: [1, 2, 3]}\n")
	dir := filepath.Join(t.TempDir(), "tls")
	p := start(t, "sweep", file, "--server", "tls://"+address, "--token-file", secret, "--tls-ca", ours.file, "--out", dir)
	until(t, "the sweep", func() bool { return strings.Contains(p.output(), "sweep folder") })
	for _, refused := range []struct{ url, ca, want string }{
		{"tls://" + address, others.file, "signed by unknown authority"},
		{"nats://" + address, others.file, "signed by unknown authority"}, // the server insists
		{"tls://" + address, "", "signed by unknown authority"},
		{strings.Replace("tls://"+address, "127.0.0.1", "localhost", 1), ours.file, "localhost"}, // not in the certificate
		{"tls://" + address, secret, "holds no certificate"},
	} {
		args := []string{"worker", "--server", refused.url, "--token-file", secret, "--dir", dir}
		if refused.ca != "" {
			args = append(args, "--tls-ca", refused.ca)
		}
		w := start(t, args...)
		if code := w.wait(t); code != exitFailed || !strings.Contains(w.output(), refused.want) {
			t.Errorf("%v: exit code %d\n%s", refused, code, w.output())
		}
	}
	w := start(t, "worker", "--server", "tls://"+address, "--token-file", secret, "--tls-ca", ours.file, "--dir", dir)
	for name, p := range map[string]*process{"the coordinator": p, "the worker": w} {
		if code := p.wait(t); code != exitOK {
			t.Errorf("%s: exit code %d\n%s", name, code, p.output())
		}
	}
	if got := strings.Join(column(results(t, dir), "state"), " "); got != "completed completed completed" {
		t.Errorf("states %s", got)
	}
}
