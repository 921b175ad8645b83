package sweeps

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Access is what it takes to reach a server.
type Access struct {
	URL   string // such as nats://host:4222, or tls://
	Token string // or ""
	CA    string // file of the certificate authorities to trust, or "": the system's
}

// embedded is a server within the process of the coordinator, that listens on the loopback
// interface and keeps what it is told in a folder, synchronously: what it has
// acknowledged survives a power cut.
type embedded struct {
	server *server.Server
	access Access
}

// startServer starts a server in the folder dir.
func startServer(dir string) (*embedded, error) {
	token := rand.Text()
	s, err := server.NewServer(&server.Options{ServerName: "pkm", Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: token,
		JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true})
	if err != nil {
		return nil, fmt.Errorf("start the work queue in %s: %w", dir, err)
	}
	go s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		s.Shutdown()
		return nil, fmt.Errorf("start the work queue in %s: the server does not answer", dir)
	}
	return &embedded{s, Access{URL: s.ClientURL(), Token: token}}, nil
}

// stop ends the server; what it holds is on disk.
func (e *embedded) stop() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// Connect connects to a server, and goes on trying where it is lost later.
func Connect(a Access, name string) (*nats.Conn, error) {
	options := []nats.Option{nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond), nats.Timeout(5 * time.Second),
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2)}
	if a.Token != "" {
		options = append(options, nats.Token(a.Token))
	}
	fail := func(err error) (*nats.Conn, error) {
		return nil, fmt.Errorf("connect to the server %s: %w", withoutSecret(a.URL), err)
	}
	if a.CA != "" {
		text, err := os.ReadFile(a.CA)
		if err != nil {
			return fail(err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return fail(fmt.Errorf("%s holds no certificate in PEM", a.CA))
		}
		options = append(options, nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
	}
	conn, err := nats.Connect(a.URL, options...)
	switch {
	case errors.Is(err, nats.ErrAuthorization) && a.Token == "":
		return fail(fmt.Errorf("%w: it asks for a token; name the file that holds it with --token-file, or set %s", err, TokenVariable))
	case errors.Is(err, nats.ErrAuthorization):
		return fail(fmt.Errorf("%w: it has another token", err))
	case err != nil:
		return fail(err)
	}
	return conn, nil
}

// ConnectPatiently connects to a server that may not be there for wait yet.
func ConnectPatiently(ctx context.Context, a Access, name string, wait time.Duration) (conn *nats.Conn, err error) {
	away := func(err error) bool {
		var network net.Error // a name that is not known, or an address that is not reached
		return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) || errors.As(err, &network)
	}
	err = patiently(ctx, wait, away, func() error {
		conn, err = Connect(a, name)
		return err
	})
	return conn, err
}

// withoutSecret returns a URL without user, password or token.
func withoutSecret(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(an address that cannot be read)"
	}
	u.User = nil
	return u.String()
}
