package tfevents

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"
)

// The bytes of a file with two records, taken apart by hand after the descriptions of TFRecord and protocol buffers; the
// checksums are those of scripts/fixtures/tfevents.py, which computes CRC-32C bit by bit.
func TestBytes(t *testing.T) {
	wall := time.Unix(1_700_000_000, 500_000_000)
	got := AppendScalars(AppendVersion(nil, wall), wall.Add(time.Second), 300, []Scalar{{"loss", 0.5}, {"accuracy", -2}})
	want := strings.Join([]string{
		"1800000000000000", "a37f4b22", // 24 bytes
		"09", "00002040fc54d941", // field 1, 64 bits: 1700000000.5
		"1a", "0d", "627261696e2e4576656e743a32", // field 3, 13 bytes: brain.Event:2
		"2b353110",
		"2c00000000000000", "f4aecc45", // 44 bytes
		"09", "00006040fc54d941", // 1700000001.5
		"10", "ac02", // field 2, varint: 300
		"2a", "1e", // field 5, 30 bytes
		"0a", "0b", "0a", "04", "6c6f7373", "15", "0000003f", // field 1, 11 bytes: field 1 "loss", field 2 of 32 bits 0.5
		"0a", "0f", "0a", "08", "6163637572616379", "15", "000000c0", // 15 bytes: "accuracy", −2
		"43750c5e",
	}, "")
	if hex.EncodeToString(got) != want {
		t.Errorf("got\n%x, want\n%s", got, want)
	}
}

// CRC-32C of RFC 3720, B.4, and TensorFlow's mask of it.
func TestChecksum(t *testing.T) {
	unmask := func(masked uint32) uint32 {
		rotated := masked - 0xa282ead8
		return rotated>>17 | rotated<<15
	}
	for text, want := range map[string]uint32{strings.Repeat("\x00", 32): 0x8a9136aa, strings.Repeat("\xff", 32): 0x62a8ab43, "123456789": 0xe3069283} {
		if got := unmask(masked([]byte(text))); got != want {
			t.Errorf("%x: %08x, want %08x", text, got, want)
		}
	}
}

// The file that scripts/fixtures/tfevents.py writes with TensorBoard's own library.
func TestFixture(t *testing.T) {
	want, err := os.ReadFile("testdata/tensorboard.tfevents")
	if err != nil {
		t.Fatal(err)
	}
	wall := time.Unix(1_700_000_000, 250_000_000)
	got := AppendVersion(nil, wall)
	for step := range int64(3) {
		got = AppendScalars(got, wall.Add(time.Duration(step)*time.Second), 1000*step, []Scalar{{"loss", 1 / float64(step+1)}, {"step_residual", 1e-12}})
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%x, want\n%x", got, want)
	}
}
