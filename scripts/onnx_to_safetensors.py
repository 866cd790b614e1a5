#!/usr/bin/env python3
"""Takes the weights of a BERT encoder out of an ONNX file and writes them as model.safetensors, names as Hugging Face has
them. Only the standard library: ONNX is protobuf, and a reader of the four messages that matter is short.

  python3 scripts/onnx_to_safetensors.py MODEL.onnx OUT.safetensors

Initializers keep their names. The weight of a MatMul has none ("onnx::MatMul_1525"): it gets the one of the layer whose
bias is added to the product, and is transposed back to [out, in], as PyTorch has it. f32 files only, weights inside the file."""
import array
import json
import os
import struct
import sys

FLOAT = 1
WORD, DELIMITED = 0, 2


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def fields(data):
    """Number, wire type and value of each field of a message; a value is an int or a memoryview."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == WORD:
            value, at = varint(data, at)
        elif kind == DELIMITED:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = data[at:at + size], at + size
        else:
            raise ValueError(f"field {number} is of wire type {kind}")
        if at > len(data):
            raise ValueError("the file ends inside a field")
        yield number, kind, value


def text(value):
    return bytes(value).decode("utf-8")


def read_tensor(data):
    """TensorProto: dims 1, data_type 2, float_data 4, name 8, raw_data 9, data_location 14."""
    dims, kind, name, raw, outside = [], 0, "", b"", False
    for number, wire, value in fields(data):
        if number == 1 and wire == DELIMITED:  # packed
            at = 0
            while at < len(value):
                dim, at = varint(value, at)
                dims.append(dim)
        elif number == 1:
            dims.append(value)
        elif number == 2:
            kind = value
        elif number == 4 and wire == DELIMITED:
            raw = value
        elif number == 8:
            name = text(value)
        elif number == 9:
            raw = value
        elif number == 14:
            outside = value == 1
    if outside:
        raise ValueError(f"the weights of {name} are in another file")
    return name, kind, dims, raw


def read_node(data):
    """NodeProto: input 1, output 2, name 3, op_type 4."""
    node = {"in": [], "out": [], "op": ""}
    for number, _, value in fields(data):
        if number == 1:
            node["in"].append(text(value))
        elif number == 2:
            node["out"].append(text(value))
        elif number == 4:
            node["op"] = text(value)
    return node


def read_model(data):
    """ModelProto: graph 7. GraphProto: node 1, initializer 5."""
    tensors, nodes = {}, []
    for number, _, graph in fields(data):
        if number != 7:
            continue
        for inner, _, value in fields(graph):
            if inner == 1:
                nodes.append(read_node(value))
            elif inner == 5:
                name, kind, dims, raw = read_tensor(value)
                if kind == FLOAT:
                    tensors[name] = (dims, raw)
    return tensors, nodes


def transposed(dims, raw):
    rows, columns = dims
    values = array.array("f")
    values.frombytes(bytes(raw))
    out = array.array("f", bytes(len(raw)))
    for column in range(columns):
        out[column * rows:(column + 1) * rows] = values[column::columns]
    return [columns, rows], out.tobytes()


def named(tensors, nodes):
    """Nameless weights of products, by the bias that is added to them."""
    weight_of = {}
    for node in nodes:
        if node["op"] == "MatMul":
            weights = [name for name in node["in"] if name in tensors]
            if len(weights) == 1:
                weight_of[node["out"][0]] = weights[0]
    result = {name: value for name, value in tensors.items() if name not in weight_of.values()}
    for node in nodes:
        if node["op"] != "Add":
            continue
        biases = [name for name in node["in"] if name.endswith(".bias")]
        products = [name for name in node["in"] if name in weight_of]
        if len(biases) == len(products) == 1:
            dims, raw = tensors[weight_of.pop(products[0])]
            result[biases[0][:-len("bias")] + "weight"] = transposed(dims, raw)
    if weight_of:
        raise ValueError(f"no bias tells what {sorted(weight_of.values())[0]} is")
    return {name: value for name, value in result.items() if "." in name and not name.startswith("/")}


def write_safetensors(path, tensors):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name in sorted(tensors):
        dims, raw = tensors[name]
        header[name] = {"dtype": "F32", "shape": dims, "data_offsets": [at, at + len(raw)]}
        at += len(raw)
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with open(path + ".part", "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for name in sorted(tensors):
            file.write(tensors[name][1])
    os.replace(path + ".part", path)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        data = memoryview(file.read())
    try:
        tensors = named(*read_model(data))
    except (ValueError, IndexError) as error:
        sys.exit(f"onnx_to_safetensors: {sys.argv[1]}: {error}")
    for name, (dims, raw) in tensors.items():
        count = 4
        for dim in dims:
            count *= dim
        if count != len(raw):
            sys.exit(f"onnx_to_safetensors: {sys.argv[1]}: {name} has {len(raw)} bytes, its shape says {count}")
    write_safetensors(sys.argv[2], tensors)
    print(f"{len(tensors)} tensors")


if __name__ == "__main__":
    main()
