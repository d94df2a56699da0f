"""encode_captions.py: the table is what its format says, and holds what the encoder itself gives."""
import json
import unittest

from support import FolderTest, need, script

need("numpy")
import numpy as np

import tensors
from tiny_minilm import write_minilm


def rows_of(arrays, i):
    ends = [0, *arrays["ends"]]
    return arrays["embeddings"][ends[i]:ends[i + 1]]


class Tables(FolderTest):
    def setUp(self):
        super().setUp()
        write_minilm(self.dir / "minilm")
        self.out = self.dir / "text.safetensors"

    def encode(self, name, content, *words, code=0):
        (self.dir / name).write_text(content, encoding="utf-8")
        said = script("encode_captions.py", self.dir / name, "--out", self.out, "--minilm", self.dir / "minilm", *words, code=code)
        return said if code else tensors.read(self.out)

    def test_lines(self):
        arrays, types, metadata = self.encode("c.txt", "a cat\nA cat runs, running.\na cat\n\u6771 caf\u00e9 zebra\n", "--dtype", "f32")
        self.assertEqual(types["embeddings"], "F32")
        self.assertEqual(arrays["ends"].tolist(), [4, 4 + 10, 4 + 10 + 5])  # with [CLS] and [SEP]
        self.assertEqual(arrays["clip_captions"].tolist(), [[0], [1], [0], [2]])
        text = bytes(arrays["captions"]).decode()
        self.assertEqual(text, "a catA cat runs, running.\u6771 caf\u00e9 zebra")
        self.assertEqual(arrays["caption_ends"][-1], len(text.encode()))
        self.assertEqual(arrays["null"].shape, (2, 24))
        self.assertEqual((metadata["format"], metadata["max_length"], len(metadata["encoder_hash"])), ("eflow-text", "512", 32))

    def test_padding_changes_nothing(self):
        together, _, _ = self.encode("c.txt", "a cat\na cat runs, running running cats.\n", "--dtype", "f32")
        first = np.array(rows_of(together, 0))
        alone, _, _ = self.encode("c.txt", "a cat\n", "--dtype", "f32")
        np.testing.assert_allclose(first, rows_of(alone, 0), atol=2e-6)

    def test_variants_and_negatives(self):
        lines = json.dumps({"captions": ["a cat", "cats"]}) + "\n" + json.dumps({"captions": ["cats"]}) + "\n"
        arrays, types, _ = self.encode("c.jsonl", lines, "--negative", "bad=running, running")
        self.assertEqual(types["embeddings"], "BF16")
        self.assertEqual(arrays["clip_captions"].tolist(), [[0, 1], [1, -1]])
        self.assertEqual(arrays["negative.bad"].shape, (7, 24))

    def test_long_captions_are_cut(self):
        arrays, _, metadata = self.encode("c.txt", "a " * 40 + "\n", "--max-length", "10")
        self.assertEqual((arrays["ends"].tolist(), metadata["max_length"]), ([10], "10"))

    def test_faults_name_the_line(self):
        self.assertIn("line 2", self.encode("c.jsonl", '{"captions": ["a"]}\n{"caption": "a"}\n', code=1))
        self.assertIn("NAME=TEXT", self.encode("c.txt", "a\n", "--negative", "bad", code=1))
        self.assertFalse(self.out.exists())
        self.assertFalse(self.out.with_name("text.safetensors.part").exists())

    def test_agrees_with_transformers(self):
        try:
            import torch
            from transformers import BertModel, BertTokenizer
        except ImportError as error:
            self.skipTest(f"no {error.name}; scripts/python/make_venv.sh installs it")
        captions = ["a cat", "A CAT runs, running cats.", "\u6771caf\u00e9 zebra", ""]
        arrays, _, _ = self.encode("c.txt", "\n".join(captions) + "\n", "--dtype", "f32")
        tokenizer, model = BertTokenizer.from_pretrained(self.dir / "minilm"), BertModel.from_pretrained(self.dir / "minilm").eval()
        for i, caption in enumerate(captions):
            with torch.inference_mode():
                expected = model(**tokenizer(caption, return_tensors="pt")).last_hidden_state[0]
            np.testing.assert_allclose(rows_of(arrays, i), expected, atol=1e-5)


class T5(FolderTest):
    def setUp(self):
        super().setUp()
        try:
            import sentencepiece
            import torch
            from transformers import T5TokenizerFast, UMT5Config, UMT5EncoderModel
            from tokenizers import Tokenizer, models, pre_tokenizers, processors
        except ImportError as error:
            self.skipTest(f"no {error.name}; scripts/python/make_venv.sh installs it")
        torch.manual_seed(1)
        words = ["<pad>", "</s>", "<unk>", "\u2581a", "\u2581cat", "\u2581runs", "\u2581&"]
        tokenizer = Tokenizer(models.Unigram([(w, -float(i)) for i, w in enumerate(words)], unk_id=2))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
        T5TokenizerFast(tokenizer_object=tokenizer, extra_ids=0).save_pretrained(self.dir / "umt5")
        config = UMT5Config(vocab_size=len(words), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
        self.model = UMT5EncoderModel(config).eval()
        self.model.save_pretrained(self.dir / "umt5")

    def test_rows_are_those_of_the_model(self):
        import torch
        (self.dir / "c.txt").write_text("a cat runs\na\na   cat &amp; cat\n")
        out = self.dir / "text.safetensors"
        script("encode_captions.py", self.dir / "c.txt", "--out", out, "--model", self.dir / "umt5", "--dtype", "f32")
        arrays, _, metadata = tensors.read(out)
        self.assertEqual((metadata["encoder"], arrays["embeddings"].shape[1]), ("umt5", 32))
        expected_ids = [[3, 4, 5, 1], [3, 1], [3, 4, 6, 4, 1]]  # white space joined, entities resolved
        for i, ids in enumerate(expected_ids):
            with torch.inference_mode():
                expected = self.model(input_ids=torch.tensor([ids])).last_hidden_state[0]
            np.testing.assert_allclose(rows_of(arrays, i), expected, atol=1e-5)
        self.assertEqual(arrays["null"].shape, (1, 32))  # </s>


if __name__ == "__main__":
    unittest.main()
