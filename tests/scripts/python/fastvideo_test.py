"""import_fastvideo.py: rows of Parquet become items with the same values, and odd rows are named."""
import unittest

from support import FolderTest, need, script

need("numpy", "pyarrow")
import numpy as np
import pyarrow
import pyarrow.parquet

import tensors


def row(i, latent, text, **changes):
    def parts(name, array):
        return {f"{name}_bytes": b"" if array is None else array.tobytes(), f"{name}_shape": [] if array is None else list(array.shape), f"{name}_dtype": "float32"}
    return {"id": f"id{i}", "caption": f"caption {i}", "fps": 16.0, "width": 480, "height": 832, "num_frames": 2, "media_type": "video",
            **parts("vae_latent", latent), **parts("text_embedding", text), **changes}


class FastVideo(FolderTest):
    def write(self, name, rows):
        path = self.dir / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, compression="zstd")

    def test_rows_become_items(self):
        random = np.random.default_rng(1)
        latents = random.normal(size=(4, 16, 2, 3, 4)).astype("f4")
        text = random.normal(size=(5, 8)).astype("f4")
        padded = np.concatenate([text, np.zeros((3, 8), "f4")])
        self.write("worker_1/data_chunk_0.parquet", [row(2, latents[2], padded), row(3, latents[3], None)])
        self.write("worker_0/data_chunk_0.parquet", [
            row(0, latents[0], text), row(1, latents[1], text, vae_latent_bytes=latents[1].tobytes()[:-4]), row(4, None, text),
            row(5, np.full((16, 1, 1, 1), np.nan, "f4"), text)])
        (self.dir / "in" / "worker_0" / "broken.parquet").write_text("PAR1 no parquet")
        (self.dir / "in" / "file_info.pkl").write_text("not to be opened")
        said = script("import_fastvideo.py", self.dir / "in", "--out", self.dir / "out")
        self.assertIn("3 items of 3 files, 4 skipped", said)
        for part in ("row 1 (id id1): vae_latent has 1532 bytes", "row 2 (id id4): it has no vae_latent", "row 3 (id id5): the latent has values", "broken.parquet"):
            self.assertIn(part, said)
        files = sorted((self.dir / "out").rglob("*.safetensors"))
        self.assertEqual([str(f.relative_to(self.dir / "out")) for f in files],
                         [f"worker_{k}/data_chunk_0-0000{i}.safetensors" for k, i in ((0, 0), (1, 0), (1, 1))])
        for file, i in zip(files, (0, 2, 3)):
            arrays, types, metadata = tensors.read(file)
            np.testing.assert_array_equal(arrays["latents"], latents[i])
            self.assertEqual((metadata["captions"], metadata["normalised"], metadata["latent_space"]), (f'["caption {i}"]', "false", "wan2.1"))
            if i == 3:
                self.assertNotIn("context", arrays)
                continue
            self.assertEqual(types["context"], "BF16")
            np.testing.assert_allclose(tensors.from_bf16(arrays["context"]), text, rtol=2 ** -8)  # and no padding

    def test_nothing_to_read(self):
        (self.dir / "in").mkdir()
        self.assertIn("no .parquet files", script("import_fastvideo.py", self.dir / "in", "--out", self.dir / "out", code=1))
        self.write("a.parquet", [row(0, None, None)])
        self.assertIn("none of the rows", script("import_fastvideo.py", self.dir / "in", "--out", self.dir / "out", code=1))


if __name__ == "__main__":
    unittest.main()
