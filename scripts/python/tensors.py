"""Reads and writes safetensors files with NumPy alone. bf16 values are uint16 arrays here: NumPy has no such type."""
import json
import os
import pathlib
import struct

import numpy as np

TYPES = {"U8": "u1", "I8": "i1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "I64": "<i8", "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8"}
NAMES = {"bf16": "BF16", "f16": "F16", "f32": "F32"}
HEADER_LIMIT = 100_000_000  # as the safetensors library
HEADER_ROOM = 1 << 16       # reserved by StreamWriter, which learns the shapes last


def to_bf16(values):
    """Rounds to the nearest bf16, ties to even; returns uint16."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FC0), rounded)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def encode(values, dtype):
    """f32 values as an array of the named type ("bf16", "f16", "f32"). Refuses what f16 cannot hold."""
    if dtype == "bf16":
        return to_bf16(values)
    out = values.astype(TYPES[NAMES[dtype]])
    if not np.isfinite(out).all() and np.isfinite(values).all():
        raise SystemExit(f"a value of {np.abs(values).max():g} does not fit into f16; use --dtype bf16 or f32")
    return out


def read_header(file, name):
    """Returns (tensors, metadata, offset of the data) of an open file."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else HEADER_LIMIT + 1
    if length > HEADER_LIMIT or 8 + length > size:
        raise SystemExit(f"{name} is not a safetensors file")
    header = json.loads(file.read(length))
    metadata = header.pop("__metadata__", {})
    for key, entry in header.items():
        begin, end = entry["data_offsets"]
        if not 0 <= begin <= end <= size - 8 - length:
            raise SystemExit(f"{name}: {key} lies outside the file")
    return header, metadata, 8 + length


def read(path):
    """Returns ({name: array}, {name: type}, metadata). The arrays are views of the mapped file."""
    with open(path, "rb") as file:
        header, metadata, offset = read_header(file, path)
    arrays, types = {}, {}
    for key, entry in header.items():
        types[key] = entry["dtype"]
        shape = tuple(entry["shape"])
        if 0 in shape:
            arrays[key] = np.zeros(shape, TYPES[entry["dtype"]])
            continue
        arrays[key] = np.memmap(path, TYPES[entry["dtype"]], "r", offset + entry["data_offsets"][0], shape)
    return arrays, types, metadata


class StreamWriter:
    """Writes a file whose first tensor grows row by row, so that it need not fit into memory.

    The file appears under its name when finish() returns, whole.
    """

    def __init__(self, path, name, dtype, row_shape):
        self.path = pathlib.Path(path)
        self.part = self.path.with_name(self.path.name + ".part")
        self.file = open(self.part, "wb")
        self.file.seek(HEADER_ROOM)
        self.name, self.dtype, self.row_shape, self.rows = name, dtype, tuple(row_shape), 0

    def append(self, rows):
        """rows: an array [n, *row_shape] of the stored type."""
        assert rows.shape[1:] == self.row_shape and rows.dtype == np.dtype(TYPES[self.dtype])
        self.file.write(np.ascontiguousarray(rows).tobytes())
        self.rows += len(rows)

    def finish(self, others, metadata):
        """others: {name: (type, array)}, written after the rows."""
        end = self.file.tell() - HEADER_ROOM
        header = {"__metadata__": metadata, self.name: {"dtype": self.dtype, "shape": [self.rows, *self.row_shape], "data_offsets": [0, end]}}
        for name, (dtype, array) in others.items():
            data = np.ascontiguousarray(array, dtype=TYPES[dtype]).tobytes()
            header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [end, end + len(data)]}
            self.file.write(data)
            end += len(data)
        text = json.dumps(header).encode()
        if len(text) > HEADER_ROOM - 8:
            raise SystemExit(f"{self.path}: too many tensors for the header")
        self.file.seek(0)
        self.file.write(struct.pack("<Q", HEADER_ROOM - 8) + text.ljust(HEADER_ROOM - 8))
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.part, self.path)

    def discard(self):
        self.file.close()
        self.part.unlink(missing_ok=True)


def write(path, arrays, metadata):
    """Writes {name: (type, array)} at once."""
    path = pathlib.Path(path)
    header, end, pieces = {"__metadata__": metadata}, 0, []
    for name, (dtype, array) in arrays.items():
        data = np.ascontiguousarray(array, dtype=TYPES[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [end, end + len(data)]}
        pieces.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for data in pieces:
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
