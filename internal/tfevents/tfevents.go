// Package tfevents writes the event files that TensorBoard reads: records of TensorFlow's TFRecord format,
//
//	length (8 bytes, little-endian) · checksum of length · bytes · checksum of bytes
//
// with masked CRC-32C checksums of 4 bytes, each of which holds a message tensorflow.Event of protocol buffers.
package tfevents

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Scalar is a figure at a step. TensorBoard keeps figures in single precision.
type Scalar struct {
	Tag   string
	Value float64
}

// The fields of tensorflow.Event, of its Summary and of the Summary's Value (tensorflow/core/util/event.proto,
// tensorflow/core/framework/summary.proto).
const (
	eventWallTime, eventStep, eventFileVersion, eventSummary = 1, 2, 3, 5
	summaryValue                                             = 1
	valueTag, valueSimple                                    = 1, 2
)

// AppendVersion appends the record that an event file begins with.
func AppendVersion(b []byte, wall time.Time) []byte {
	event := protowire.AppendString(protowire.AppendTag(begin(wall), eventFileVersion, protowire.BytesType), "brain.Event:2")
	return appendRecord(b, event)
}

// AppendScalars appends the record of a step's figures. Those that are not finite are kept as they are.
func AppendScalars(b []byte, wall time.Time, step int64, scalars []Scalar) []byte {
	var summary []byte
	for _, s := range scalars {
		value := protowire.AppendString(protowire.AppendTag(nil, valueTag, protowire.BytesType), s.Tag)
		value = protowire.AppendFixed32(protowire.AppendTag(value, valueSimple, protowire.Fixed32Type), math.Float32bits(float32(s.Value)))
		summary = protowire.AppendBytes(protowire.AppendTag(summary, summaryValue, protowire.BytesType), value)
	}
	event := begin(wall)
	if step != 0 { // which protocol buffers leave out
		event = protowire.AppendVarint(protowire.AppendTag(event, eventStep, protowire.VarintType), uint64(step))
	}
	return appendRecord(b, protowire.AppendBytes(protowire.AppendTag(event, eventSummary, protowire.BytesType), summary))
}

// begin returns an event with its time, in seconds since 1970.
func begin(wall time.Time) []byte {
	seconds := float64(wall.Unix()) + float64(wall.Nanosecond())/1e9
	return protowire.AppendFixed64(protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type), math.Float64bits(seconds))
}

func appendRecord(b, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(append(b, length...), masked(length))
	return binary.LittleEndian.AppendUint32(append(b, data...), masked(data))
}

// masked returns the checksum of data, rotated and shifted, so that data which hold checksums have good ones too.
func masked(data []byte) uint32 {
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (sum>>15 | sum<<17) + 0xa282ead8
}
