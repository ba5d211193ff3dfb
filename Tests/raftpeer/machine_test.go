package main

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

var threeEntries = map[string][]byte{
	"core/keyring": {0, 0, 0, 1, 2}, "empty": {}, "sys/policy/default": bytes.Repeat([]byte("p"), 200),
}

func command(operations ...[]byte) *raft.Log {
	return &raft.Log{Index: 7, Type: raft.LogCommand, Data: bytes.Join(operations, nil)}
}

func TestCommandsPutDeleteAndSkip(t *testing.T) {
	m := newMachine(hclog.NewNullLogger())
	deletion := appendText(nil, 1, appendText([]byte{1 << 3, deleteOperation}, 3, []byte("gone")))
	verification := appendText(nil, 1, appendText([]byte{1 << 3, 16}, 3, []byte("not put")))
	unknownField := append(appendUvarint(nil, 1000<<3), 5)
	done := m.Apply(command(
		appendPut(nil, []byte("gone"), []byte("1")), appendPut(nil, []byte("kept"), nil), deletion, verification,
		unknownField, appendPut(nil, nil, []byte("no key")),
	))
	if done != (applied{operations: 3}) || len(m.entries) != 1 || m.entries["kept"] == nil || m.index != 7 {
		t.Fatal(done, m.entries, m.index)
	}
}

func TestDamagedCommandsChangeNothing(t *testing.T) {
	whole := command(appendPut(appendPut(nil, []byte("a"), []byte("b")), []byte("c"), []byte("d"))).Data
	random := rand.New(rand.NewSource(1))
	for round := 0; round < 20_000; round++ {
		m := newMachine(hclog.NewNullLogger())
		data := append([]byte{}, whole[:random.Intn(len(whole)+1)]...)
		for change := random.Intn(3); change > 0 && len(data) > 0; change-- {
			data[random.Intn(len(data))] = byte(random.Intn(256))
		}
		done := m.Apply(command(data)).(applied)
		if (done.problem != "") != (m.skipped == 1) || (done.problem != "" && len(m.entries) > 0) {
			t.Fatalf("%x: %v, %d entries, %d skipped", data, done, len(m.entries), m.skipped)
		}
	}
	m := newMachine(hclog.NewNullLogger())
	chunk := command(whole)
	chunk.Extensions = []byte{1 << 3, 1}
	if m.Apply(chunk); len(m.entries) != 0 || m.skipped != 1 {
		t.Fatal("a part of a chunked command was applied")
	}
}

func TestSnapshotIsStateBin(t *testing.T) {
	var written bytes.Buffer
	if err := writeFrames(&written, threeEntries); err != nil {
		t.Fatal(err)
	}
	wanted := "\x15\x0a\x0ccore/keyring\x12\x05\x00\x00\x00\x01\x02\x07\x0a\x05empty\xdf\x01\x0a\x12sys/policy/default\x12\xc8\x01"
	if written.Len() != 255 || !bytes.HasPrefix(written.Bytes(), []byte(wanted)) {
		t.Fatalf("%q", written.Bytes())
	}
	// What has no key is not ours, and the last frame of a key wins.
	written.WriteString("\x00\x03\x12\x01x\x0a\x0a\x05empty\x12\x01y")
	entries, err := readFrames(&written)
	if err != nil || len(entries) != 3 || string(entries["empty"]) != "y" {
		t.Fatal(entries, err)
	}
}

func TestTornSnapshotIsRefused(t *testing.T) {
	var written bytes.Buffer
	if err := writeFrames(&written, threeEntries); err != nil {
		t.Fatal(err)
	}
	for length := 0; length < written.Len(); length++ {
		m := newMachine(hclog.NewNullLogger())
		m.entries["before"] = []byte("value")
		err := m.Restore(io.NopCloser(bytes.NewReader(written.Bytes()[:length])))
		isBoundary := length == 0 || length == 22 || length == 30
		if isBoundary != (err == nil) || (err == nil) == (m.entries["before"] != nil) {
			t.Fatal(length, err, m.entries)
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(length, err)
		}
	}
	if _, err := readFrames(bytes.NewReader([]byte("\xff\xff\xff\xff\xff\xff\x7f"))); err == nil {
		t.Fatal("a frame of a terabyte")
	}
}
