package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Operations of a command that this state machine knows.
const (
	deleteOperation = 1
	putOperation    = 2
)

var errDamaged = errors.New("not a protocol buffers message")

// operation is one LogOperation. Its key and value borrow from the command.
type operation struct {
	kind  uint64
	key   []byte
	value []byte
}

// field is one field of a message: a number, or bytes that borrow from the message.
type field struct {
	number uint64
	isText bool
	value  uint64
	text   []byte
}

// takeField cuts the first field off a message.
func takeField(message []byte) (field, []byte, error) {
	tag, size := binary.Uvarint(message)
	if size <= 0 || tag>>3 == 0 || tag > math.MaxUint32 {
		return field{}, nil, errDamaged
	}
	message = message[size:]
	result := field{number: tag >> 3}
	switch tag & 7 {
	case 0:
		result.value, size = binary.Uvarint(message)
		if size <= 0 {
			return field{}, nil, errDamaged
		}
		return result, message[size:], nil
	case 1, 5:
		size = 8
		if tag&7 == 5 {
			size = 4
		}
		if len(message) < size {
			return field{}, nil, errDamaged
		}
		return result, message[size:], nil
	case 2:
		length, size := binary.Uvarint(message)
		if size <= 0 || length > uint64(len(message)-size) {
			return field{}, nil, errDamaged
		}
		message = message[size:]
		result.isText, result.text = true, message[:length]
		return result, message[length:], nil
	default:
		return field{}, nil, errDamaged
	}
}

// eachField hands over the fields of a message in their order.
func eachField(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		next, rest, err := takeField(message)
		if err != nil {
			return err
		}
		if err := visit(next); err != nil {
			return err
		}
		message = rest
	}
	return nil
}

// decodeCommand reads LogData; fields that it does not know are skipped.
func decodeCommand(data []byte) ([]operation, error) {
	var operations []operation
	err := eachField(data, func(outer field) error {
		if outer.number != 1 {
			return nil
		}
		if !outer.isText {
			return fmt.Errorf("%w: operation %d is a number", errDamaged, len(operations))
		}
		var one operation
		err := eachField(outer.text, func(inner field) error {
			switch {
			case inner.number == 1 && !inner.isText:
				one.kind = inner.value
			case inner.number == 3 && inner.isText:
				one.key = inner.text
			case inner.number == 4 && inner.isText:
				one.value = inner.text
			case inner.number == 1 || inner.number == 3 || inner.number == 4:
				return fmt.Errorf("%w: field %d of operation %d", errDamaged, inner.number, len(operations))
			}
			return nil
		})
		operations = append(operations, one)
		return err
	})
	return operations, err
}

// decodeEntry reads StorageEntry.
func decodeEntry(message []byte) (key, value []byte, err error) {
	err = eachField(message, func(next field) error {
		if (next.number == 1 || next.number == 2) && !next.isText {
			return fmt.Errorf("%w: field %d of an entry is a number", errDamaged, next.number)
		}
		switch next.number {
		case 1:
			key = next.text
		case 2:
			value = next.text
		}
		return nil
	})
	return key, value, err
}

// appendText appends a field of bytes.
func appendText(message []byte, number byte, text []byte) []byte {
	message = appendUvarint(append(message, number<<3|2), uint64(len(text)))
	return append(message, text...)
}

func appendUvarint(message []byte, value uint64) []byte {
	var buffer [binary.MaxVarintLen64]byte
	return append(message, buffer[:binary.PutUvarint(buffer[:], value)]...)
}

// appendPut appends to LogData the operation that puts an entry.
func appendPut(command, key, value []byte) []byte {
	one := appendText([]byte{1 << 3, putOperation}, 3, key)
	if len(value) > 0 {
		one = appendText(one, 4, value)
	}
	return appendText(command, 1, one)
}
