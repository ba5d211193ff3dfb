package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// writeFrames writes entries as a snapshot has them, in order of their keys.
func writeFrames(output io.Writer, entries map[string][]byte) error {
	buffered := bufio.NewWriterSize(output, 1<<20)
	var frame, prefix []byte
	for _, key := range sortedKeys(entries) {
		frame = appendText(frame[:0], 1, []byte(key))
		if value := entries[key]; len(value) > 0 {
			frame = appendText(frame, 2, value)
		}
		prefix = appendUvarint(prefix[:0], uint64(len(frame)))
		if _, err := buffered.Write(prefix); err != nil {
			return err
		}
		if _, err := buffered.Write(frame); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

// readFrames reads a snapshot to its end. The last frame of a key wins, frames without a key are skipped.
func readFrames(input io.Reader) (map[string][]byte, error) {
	buffered := bufio.NewReaderSize(input, 1<<20)
	entries := map[string][]byte{}
	var frame bytes.Buffer
	for number := 0; ; number++ {
		length, err := frameLength(buffered)
		if err == io.EOF {
			return entries, nil
		}
		if err == nil {
			frame.Reset()
			// Grows with what is there, not with what a length claims.
			_, err = io.CopyN(&frame, buffered, int64(length))
		}
		if err == nil {
			var key, value []byte
			if key, value, err = decodeEntry(frame.Bytes()); err == nil && len(key) > 0 {
				entries[string(key)] = append([]byte{}, value...)
			}
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("frame %d of the snapshot: %w", number, err)
		}
	}
}

// frameLength reads the length in front of a frame; io.EOF only where no frame begins.
func frameLength(input *bufio.Reader) (uint64, error) {
	if _, err := input.Peek(1); err != nil {
		return 0, err
	}
	length, err := binary.ReadUvarint(input)
	if err == io.EOF {
		return 0, io.ErrUnexpectedEOF
	}
	if err == nil && length > math.MaxInt32 {
		return 0, errors.New("longer than a frame may be")
	}
	return length, err
}
