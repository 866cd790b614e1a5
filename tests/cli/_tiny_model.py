"""A sentence encoder small enough to be made in a test: a BERT of one layer with random weights, and a vocabulary of letters
and some words. What it thinks alike are texts with the same words."""

import array
import json
import os
import random
import string
import struct

HIDDEN, HEADS, INNER, LAYERS, POSITIONS = 32, 2, 64, 1, 128
WORDS = ("the port server listen listens on which what how do change of is it in 2023 2024 for to "
         "sales report door colour color").split()
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *string.ascii_lowercase, *string.digits, *".,?!-'",
              *("##" + c for c in string.ascii_lowercase + string.digits)]


def _tensors(seed):
    rng = random.Random(seed)

    def matrix(rows, columns, scale=0.3):
        return (rows, columns), [rng.gauss(0, scale) for _ in range(rows * columns)]

    def row(columns, value=0.0):
        return (columns,), [value] * columns

    yield "embeddings.word_embeddings.weight", matrix(len(VOCABULARY), HIDDEN, 1.0)
    yield "embeddings.position_embeddings.weight", matrix(POSITIONS, HIDDEN, 0.02)
    yield "embeddings.token_type_embeddings.weight", matrix(2, HIDDEN, 0.02)
    for name in ("embeddings.LayerNorm",):
        yield name + ".weight", row(HIDDEN, 1.0)
        yield name + ".bias", row(HIDDEN)
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            yield f"{at}attention.self.{part}.weight", matrix(HIDDEN, HIDDEN, 0.1)
            yield f"{at}attention.self.{part}.bias", row(HIDDEN)
        for name, shape in (("attention.output.dense", (HIDDEN, HIDDEN)), ("intermediate.dense", (INNER, HIDDEN)),
                            ("output.dense", (HIDDEN, INNER))):
            yield f"{at}{name}.weight", matrix(*shape, 0.1)
            yield f"{at}{name}.bias", row(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            yield f"{at}{name}.weight", row(HIDDEN, 1.0)
            yield f"{at}{name}.bias", row(HIDDEN)


def make(folder, seed=1):
    """Writes a model's folder."""
    header, body = {}, b""
    for name, (shape, values) in _tensors(seed):
        data = array.array("f", values).tobytes()
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    config = {"model_type": "bert", "hidden_act": "gelu", "hidden_size": HIDDEN, "num_attention_heads": HEADS,
              "num_hidden_layers": LAYERS, "intermediate_size": INNER, "max_position_embeddings": POSITIONS,
              "type_vocab_size": 2, "vocab_size": len(VOCABULARY), "layer_norm_eps": 1e-12}
    pooling = {"word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    os.makedirs(os.path.join(folder, "1_Pooling"))
    for name, content in (("config.json", json.dumps(config)), ("1_Pooling/config.json", json.dumps(pooling)),
                          ("sentence_bert_config.json", json.dumps({"max_seq_length": 64, "do_lower_case": True})),
                          ("vocab.txt", "\n".join(VOCABULARY) + "\n")):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(content)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)
