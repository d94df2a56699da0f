"""encode_videos.py and decode.py, with a tiny random VAE: the values are those of diffusers itself."""
import json
import unittest

from support import FolderTest, need, script

need("torch", "diffusers", "numpy", "av", "PIL")
import av
import numpy as np
import torch

import tensors
from encode_videos import clips_of, frames_of
from tiny_vae import write_tiny_vae


def write_video(path, frames, rate):
    """Lossless, so that the frames come back exactly."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")))
        container.mux(stream.encode())


class WanVaeScripts(FolderTest):
    def setUp(self):
        super().setUp()
        self.model = write_tiny_vae(self.dir / "vae")
        self.videos = self.dir / "videos"
        self.videos.mkdir()
        random = np.random.default_rng(1)
        self.frames = random.integers(0, 256, (11, 16, 24, 3), dtype=np.uint8)
        write_video(self.videos / "a.mkv", self.frames, 10)
        (self.videos / "a.txt").write_text("noise\n")

    def test_encode_and_decode(self):
        write_video(self.videos / "b.mkv", self.frames[:3], 10)
        (self.videos / "c.mp4").write_text("no video")
        out = self.dir / "items"
        words = (self.videos, "--vae", self.dir / "vae", "--out", out, "--frames", 7)
        said = script("encode_videos.py", *words)
        self.assertIn("clips of 5 frames", said)
        self.assertIn("2 items, 2 videos skipped", said)
        self.assertIn("skipped b: shorter than 5 frames", said)
        arrays, _, metadata = tensors.read(out / "a-0001.safetensors")
        with torch.inference_mode():
            pixels = torch.from_numpy(self.frames[5:10]).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
            expected = self.model.encode(pixels).latent_dist.mode()
            decoded = self.model.decode(expected).sample[0]
        np.testing.assert_allclose(arrays["latents"], expected[0], atol=1e-5)
        self.assertEqual((metadata["captions"], metadata["normalised"], metadata["latent_space"]), ('["noise"]', "false", "vae"))
        statistics = json.loads((out / "latent_space.json").read_text())
        np.testing.assert_allclose(statistics["std"], [1.5, 0.5, 2.0, 1.0])

        # Encoded videos are not encoded again.
        before = (out / "a-0001.safetensors").stat().st_mtime_ns
        script("encode_videos.py", *words)
        self.assertEqual((out / "a-0001.safetensors").stat().st_mtime_ns, before)

        mean, std = (np.array(statistics[k], "f4")[:, None, None, None] for k in ("mean", "std"))
        np.save(self.dir / "z.npy", ((expected[0].numpy() - mean) / std)[None])
        script("decode.py", out / "a-0001.safetensors", "--vae", self.dir / "vae", "--out", self.dir / "own")
        script("decode.py", self.dir / "z.npy", "--normalised", "--npy-only", "--vae", self.dir / "vae", "--out", self.dir / "normalised")
        wanted = ((decoded.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 3, 0).numpy()
        for folder in ("own", "normalised"):
            found = np.load(self.dir / folder / "frames.npy")
            self.assertEqual(found.shape, (1, 5, 16, 24, 3))
            self.assertLessEqual(np.abs(found[0].astype(int) - wanted).max(), 1)
        with av.open(str(self.dir / "own" / "00000.mp4")) as video:
            self.assertEqual(sum(1 for _ in video.decode(video=0)), 5)
        self.assertFalse(list((self.dir / "normalised").glob("*.mp4")))

    def test_rates_and_sizes(self):
        path = self.videos / "a.mkv"
        whole = list(frames_of(path, None, 0))
        np.testing.assert_array_equal(np.stack(whole), self.frames)
        half = list(frames_of(path, None, 5))
        np.testing.assert_array_equal(np.stack(half), self.frames[[0, 2, 4, 6, 8, 10]])
        self.assertEqual(len(list(frames_of(path, None, 20))), 22)
        self.assertEqual(next(frames_of(path, (8, 8), 0)).shape, (8, 8, 3))
        self.assertEqual(len(list(clips_of(iter(whole), 4, 0))), 2)
        self.assertEqual(len(list(clips_of(iter(whole), 4, 1))), 1)

    def test_wrong_input(self):
        np.save(self.dir / "z.npy", np.zeros((4, 1, 2, 2), "f4"))
        self.assertIn("no config.json", script("decode.py", self.dir / "z.npy", "--vae", self.dir, "--out", self.dir / "o", code=1))
        np.save(self.dir / "z.npy", np.zeros((3, 1, 2, 2), "f4"))
        self.assertIn("expected [N, 4, T, H, W]", script("decode.py", self.dir / "z.npy", "--vae", self.dir / "vae", "--out", self.dir / "o", code=1))
        self.assertIn("multiples of 8", script("encode_videos.py", self.videos, "--vae", self.dir / "vae", "--out", self.dir / "o", "--size", "20x16", code=1))


if __name__ == "__main__":
    unittest.main()
