#!/usr/bin/env python3
"""The peer of tests/bench/local_embedder.c: ONNX Runtime on one thread, over the same weights.

  python3 tests/bench/local_embedder_peer.py MODEL_FOLDER CACHE_FOLDER

Needs the packages onnx, onnxruntime and numpy (a virtual environment with `pip install onnx onnxruntime numpy`). Writes the
folder's BERT as an ONNX graph into CACHE_FOLDER, and its dynamically quantized int8 form (onnxruntime.quantization,
weights int8 per tensor as quantize_dynamic makes them by default), once. Then answers lines on its standard input:

  load f32|int8                  opens the session anew -> "seconds KiB_of_resident_memory_added"
  run f32|int8 BATCH LENGTH N    N times BATCH texts of LENGTH tokens each -> "best median" in seconds
  embed f32|int8 ID ID ...       one text -> the vector, pooled and normalized
  quit
"""
import gc
import json
import pathlib
import struct
import sys
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


def read_safetensors(path):
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, about in header.items():
        begin, end = (8 + size + offset for offset in about["data_offsets"])
        array = np.frombuffer(data[begin:end], dtype=DTYPES[about["dtype"]])
        tensors[name.removeprefix("bert.")] = array.reshape(about["shape"])
    return tensors


class Graph:
    """Nodes and initializers as they come; each call gives the name of its output."""

    def __init__(self):
        self.nodes, self.weights, self.count = [], [], 0

    def put(self, array, name=None):
        self.count += 1
        name = name or f"c{self.count}"
        self.weights.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def op(self, kind, *inputs, **attributes):
        self.count += 1
        out = attributes.pop("out", f"{kind}_{self.count}")
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=f"n{self.count}", **attributes))
        return out

    def linear(self, x, tensors, name):
        """MatMul and Add, as an export from PyTorch has them: what the quantizer and the fusions look for."""
        product = self.op("MatMul", x, self.put(tensors[name + ".weight"].T.astype(np.float32), name + ".weight_t"))
        return self.op("Add", product, self.put(tensors[name + ".bias"].astype(np.float32), name + ".bias"))

    def norm(self, x, tensors, name, eps):
        return self.op("LayerNormalization", x, self.put(tensors[name + ".weight"].astype(np.float32), name + ".weight"),
                       self.put(tensors[name + ".bias"].astype(np.float32), name + ".bias"), axis=-1, epsilon=eps)


def bert(tensors, config):
    g = Graph()
    hidden, heads, eps = config["hidden_size"], config["num_attention_heads"], config["layer_norm_eps"]
    size = hidden // heads
    # [batch, length] -> positions 0 .. length-1, the way PyTorch exports it: ONNX Runtime fuses by pattern
    length = g.op("Gather", g.op("Shape", "input_ids"), g.put(np.array(1, np.int64)), axis=0)
    zero, ones = g.put(np.array([0], np.int64)), g.put(np.array([1], np.int64))
    every = g.put(np.arange(config["max_position_embeddings"], dtype=np.int64)[None, :])
    positions = g.op("Slice", every, zero, g.op("Unsqueeze", length, zero), ones, ones)
    table = {n: g.put(tensors[f"embeddings.{n}_embeddings.weight"].astype(np.float32), n + "_table")
             for n in ("word", "position", "token_type")}
    x = g.op("Add", g.op("Gather", table["word"], "input_ids"), g.op("Gather", table["token_type"], "token_type_ids"))
    x = g.op("Add", x, g.op("Gather", table["position"], positions))
    x = g.norm(x, tensors, "embeddings.LayerNorm", eps)
    one, low = g.put(np.array(1, np.float32)), g.put(np.array(np.finfo(np.float32).min, np.float32))
    mask = g.op("Unsqueeze", "attention_mask", g.put(np.array([1, 2], np.int64)))
    mask = g.op("Mul", g.op("Sub", one, g.op("Cast", mask, to=TensorProto.FLOAT)), low)
    split = g.put(np.array([0, 0, heads, size], np.int64))
    merge = g.put(np.array([0, 0, hidden], np.int64))
    scale = g.put(np.array(np.sqrt(size), np.float32))
    root2, half = g.put(np.array(np.sqrt(2), np.float32)), g.put(np.array(0.5, np.float32))
    for i in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{i}."
        parts = {}
        for n, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            y = g.op("Reshape", g.linear(x, tensors, f"{at}attention.self.{n}"), split)
            parts[n] = g.op("Transpose", y, perm=perm)
        scores = g.op("Div", g.op("MatMul", parts["query"], parts["key"]), scale)
        weights = g.op("Softmax", g.op("Add", scores, mask), axis=-1)
        y = g.op("Transpose", g.op("MatMul", weights, parts["value"]), perm=[0, 2, 1, 3])
        y = g.linear(g.op("Reshape", y, merge), tensors, at + "attention.output.dense")
        x = g.norm(g.op("Add", y, x), tensors, at + "attention.output.LayerNorm", eps)
        y = g.linear(x, tensors, at + "intermediate.dense")
        erf = g.op("Add", g.op("Erf", g.op("Div", y, root2)), one)
        y = g.op("Mul", g.op("Mul", y, erf), half)
        y = g.linear(y, tensors, at + "output.dense")
        x = g.norm(g.op("Add", y, x), tensors, at + "output.LayerNorm", eps)
    g.op("Identity", x, out="last_hidden_state")
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"])
              for n in ("input_ids", "attention_mask", "token_type_ids")]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", hidden])
    graph = helper.make_graph(g.nodes, "bert", inputs, [output], g.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def resident_kib():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Peer:
    def __init__(self, folder, cache):
        self.config = json.loads((folder / "config.json").read_text())
        pooling = folder / "1_Pooling" / "config.json"
        self.cls = pooling.is_file() and json.loads(pooling.read_text()).get("pooling_mode_cls_token", False)
        self.files = {"f32": cache / f"{folder.name}-f32.onnx", "int8": cache / f"{folder.name}-int8.onnx"}
        if not self.files["f32"].is_file():
            onnx.save(bert(read_safetensors(folder / "model.safetensors"), self.config), self.files["f32"])
        if not self.files["int8"].is_file():
            quantize_dynamic(str(self.files["f32"]), str(self.files["int8"]), weight_type=QuantType.QInt8)
        self.sessions = {}

    def session(self, precision):
        if precision not in self.sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            self.sessions[precision] = onnxruntime.InferenceSession(
                str(self.files[precision]), options, providers=["CPUExecutionProvider"])
        return self.sessions[precision]

    def load(self, precision):
        self.sessions.pop(precision, None)
        gc.collect()
        memory, begin = resident_kib(), time.perf_counter()
        self.session(precision)
        return f"{time.perf_counter() - begin:.6f} {resident_kib() - memory}"

    def run(self, precision, batch, length, times):
        session = self.session(precision)
        ids = (np.arange(batch * length, dtype=np.int64) * 7919 % 28000 + 1000).reshape(batch, length)
        ids[:, 0], ids[:, -1] = 101, 102
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        took = []
        for _ in range(times):
            begin = time.perf_counter()
            session.run(None, feed)
            took.append(time.perf_counter() - begin)
        took.sort()
        return f"{took[0]:.9f} {took[len(took) // 2]:.9f}"

    def embed(self, precision, ids):
        ids = np.array([ids], np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        (rows,) = self.session(precision).run(None, feed)
        vector = rows[0, 0] if self.cls else rows[0].mean(axis=0)
        return " ".join(f"{v:.9g}" for v in vector / np.linalg.norm(vector))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    peer = Peer(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    print(f"ready {onnxruntime.__version__}", flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "quit":
            break
        if word == "load":
            answer = peer.load(rest[0])
        elif word == "run":
            answer = peer.run(rest[0], *(int(n) for n in rest[1:]))
        else:
            answer = peer.embed(rest[0], [int(n) for n in rest[1:]])
        print(answer, flush=True)


if __name__ == "__main__":
    main()
