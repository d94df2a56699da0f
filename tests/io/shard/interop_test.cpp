// Interoperability, bit for bit: h5py and h5dump read our files through the plug-in, NumPy reads
// .npy.
#define BOOST_TEST_MODULE interop
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>

#include "eflow/core/base/error.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/io/dataset/npy.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using namespace eflow::test;

namespace {

struct Run {
  int status = -1;
  std::string output;
};

/// Runs a shell command with HDF5_PLUGIN_PATH set to the plug-in's directory.
Run run(const std::string& command) {
  const fs::path plugin = fs::read_symlink("/proc/self/exe").parent_path() / "../hdf5-plugin";
  const std::string line = "HDF5_PLUGIN_PATH='" + plugin.string() + "' " + command + " 2>&1";
  Run out;
  std::FILE* pipe = ::popen(line.c_str(), "r");
  if (!pipe) return out;
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    out.output.append(buffer, n);
  }
  out.status = ::pclose(pipe);
  return out;
}

/// Returns a Python interpreter that has the module, or an empty string.
std::string python_with(const std::string& module) {
  for (const std::string python : {"python3", "/usr/bin/python3"}) {
    if (run(python + " -c 'import " + module + "'").status == 0) return python;
  }
  BOOST_TEST_MESSAGE("skipped: no python3 has " << module);
  return "";
}

/// Runs a script with arguments and checks that it exits with 0.
void run_python(const std::string& python, const TempDir& dir, const std::string& script,
                const std::string& arguments) {
  spill(dir / "script.py", script);
  const Run result = run(python + " " + (dir / "script.py").string() + " " + arguments);
  BOOST_TEST(result.status == 0, result.output);
}

void write_bytes(const fs::path& path, const Bytes& bytes) {
  spill(path, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(h5py_reads_shards) {
  const TempDir dir;
  const std::string python = python_with("h5py");
  if (python.empty()) return;
  for (const DType dtype : {DType::kU8, DType::kBF16, DType::kF32}) {
    const std::string name(name_of(dtype));
    make_dataset(dir / name, dtype, 4);
    Bytes expected;
    for (int i = 0; i < 4; ++i) {
      const Bytes clip = small_clip(small_spec(dtype), i);
      expected.insert(expected.end(), clip.begin(), clip.end());
    }
    write_bytes(dir / (name + ".raw"), expected);
    run_python(python, dir, R"(
import sys, numpy as np, h5py
shard, raw, dtype = sys.argv[1:]
with h5py.File(shard, 'r') as f:
    x, labels = f['latents'], f['labels'][:]
    assert x.shape == (4, 3, 2, 5, 4), x.shape
    assert x.chunks == (1, 3, 2, 5, 4), x.chunks
    assert list(labels) == [0, 1, 2, 0] and labels.dtype == np.int32, labels
    stored = x.attrs['dtype']
    assert (stored.decode() if isinstance(stored, bytes) else stored) == dtype, stored
    got = x[:]
    if dtype == 'u8':
        want = np.fromfile(raw, np.uint8)
    elif dtype == 'f32':
        want = np.fromfile(raw, '<f4')
    else:
        want = (np.fromfile(raw, '<u2').astype('<u4') << 16).view('<f4')
    assert got.dtype == want.dtype, got.dtype
    assert got.tobytes() == want.tobytes()
)",
               (dir / name / "shard-00000.h5").string() + " " + (dir / (name + ".raw")).string() +
                   " " + name);
  }
}

BOOST_AUTO_TEST_CASE(h5py_reads_captions) {
  const TempDir dir;
  const std::string python = python_with("h5py");
  if (python.empty()) return;
  io::DatasetSpec spec = small_spec(DType::kU8);
  spec.text = io::TextSpec{.dtype = DType::kBF16, .width = 2, .max_length = 4};
  spec.sources = true;
  io::DatasetWriter writer(dir / "set", spec);
  for (std::int64_t i = 0; i < 3; ++i) {
    const Bytes clip = small_clip(spec, i);
    io::ClipRecord record{.clip = clip, .source = str("clip-", i)};
    const bfloat16 value(static_cast<float>(i + 1));
    Bytes embedding;
    for (std::int64_t e = 0; e < 2 * (i + 1); ++e) {
      const auto bytes = std::as_bytes(std::span(&value, 1));
      embedding.insert(embedding.end(), bytes.begin(), bytes.end());
    }
    record.captions.push_back({str("caption of ", i), i + 1, embedding});
    writer.add(record);
  }
  writer.finish();
  run_python(python, dir, R"(
import sys, numpy as np, h5py
with h5py.File(sys.argv[1], 'r') as f:
    pool = f['strings'][:].tobytes()
    captions, sources = f['text/captions'][:], f['sources'][:]
    columns = f['text/captions'].attrs['columns']
    columns = (columns.decode() if isinstance(columns, bytes) else columns).split()
    assert captions.shape == (3, len(columns)), captions.shape
    embeddings = f['text/embeddings'][:]
    assert embeddings.shape == (3, 3, 2) and embeddings.dtype == np.float32, embeddings
    for i, row in enumerate(captions):
        row = dict(zip(columns, row))
        text = pool[row['text_offset']:row['text_offset'] + row['text_bytes']]
        assert text == b'caption of %d' % i, text
        assert row['clip'] == i and row['rows'] == i + 1, row
        got = embeddings[row['embedding']]
        assert (got[:i + 1] == i + 1).all() and (got[i + 1:] == 0).all(), got
        name = pool[sources[i][0]:sources[i][0] + sources[i][1]]
        assert name == b'clip-%d' % i, name
)",
             (dir / "set" / "shard-00000.h5").string());
}

BOOST_AUTO_TEST_CASE(h5dump_reads_shards_and_checkpoints) {
  const TempDir dir;
  if (run("h5dump --version").status != 0) {
    BOOST_TEST_MESSAGE("skipped: h5dump is not installed");
    return;
  }
  make_dataset(dir / "set", DType::kU8, 4);
  const Run binary = run("h5dump -d /latents -b LE -o " + (dir / "out.raw").string() + " " +
                         (dir / "set/shard-00000.h5").string());
  BOOST_TEST(binary.status == 0, binary.output);
  std::string expected;
  for (int i = 0; i < 4; ++i) {
    const Bytes clip = small_clip(small_spec(DType::kU8), i);
    expected.append(reinterpret_cast<const char*>(clip.data()), clip.size());
  }
  BOOST_TEST((slurp(dir / "out.raw") == expected));
  BOOST_TEST(has(run("h5dump -pH " + (dir / "set/shard-00000.h5").string()).output, "32015"));

  const Bytes bytes(24, std::byte{1});
  const io::NamedBytes array{"model/head.weight", DType::kF32, {2, 3}, bytes};
  io::CheckpointStore store(dir / "c");
  const fs::path saved = store.save(1, std::span(&array, 1), "{}");
  const Run dump = run("h5dump -d /model/head.weight " + (saved / "state.h5").string());
  BOOST_TEST(dump.status == 0, dump.output);
  BOOST_TEST(has(dump.output, "( 2, 3 )"));
}

BOOST_AUTO_TEST_CASE(h5py_reads_checkpoints) {
  const TempDir dir;
  const std::string python = python_with("h5py");
  if (python.empty()) return;
  Bytes bytes(64 * 8);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 5 % 120);
  const auto part = [&](std::size_t n) { return std::span(bytes).first(n); };
  const std::vector<io::NamedBytes> arrays{
      {"model/blocks.0.qkv.weight", DType::kF32, {16, 8}, part(512)},
      {"model/head.bias", DType::kBF16, {5}, part(10)},
      {"optimizer/m", DType::kF64, {2, 2, 2}, part(64)},
      {"step", DType::kI64, {}, part(8)},
      {"none", DType::kF32, {0, 3}, {}},
      {"ids", DType::kI32, {3}, part(12)},
      {"bytes", DType::kU8, {7}, part(7)}};
  io::CheckpointStore store(dir / "c");
  const fs::path saved = store.save(7, arrays, R"({"loss": 0.5})");
  write_bytes(dir / "raw", bytes);
  run_python(python, dir, R"(
import sys, json, numpy as np, h5py
raw = open(sys.argv[2], 'rb').read()
with h5py.File(sys.argv[1] + '/state.h5', 'r') as f:
    def check(name, shape, dtype, n):
        d = f[name]
        assert d.shape == shape and d.dtype == np.dtype(dtype), (name, d.shape, d.dtype)
        assert d.chunks is None
        if n is not None: assert d[()].tobytes() == raw[:n], name
    check('model/blocks.0.qkv.weight', (16, 8), '<f4', 512)
    check('optimizer/m', (2, 2, 2), '<f8', 64)
    check('step', (), '<i8', 8)
    check('none', (0, 3), '<f4', 0)
    check('ids', (3,), '<i4', 12)
    check('bytes', (7,), 'u1', 7)
    half = (np.frombuffer(raw[:10], '<u2').astype('<u4') << 16).view('<f4')
    assert f['model/head.bias'][:].tobytes() == half.tobytes()
manifest = json.load(open(sys.argv[1] + '/manifest.json'))
assert manifest['step'] == 7 and manifest['metadata'] == {'loss': 0.5}
for a in manifest['arrays']:
    n = a['bytes']
    assert open(sys.argv[1] + '/state.h5', 'rb').read()[a['offset']:a['offset'] + n] == raw[:n], a
)",
             saved.string() + " " + (dir / "raw").string());
}

BOOST_AUTO_TEST_CASE(numpy_and_we_read_each_other) {
  const TempDir dir;
  const std::string python = python_with("numpy");
  if (python.empty()) return;
  Bytes bytes(24);
  for (std::size_t i = 0; i < 24; ++i) bytes[i] = static_cast<std::byte>(i);
  io::write_npy(dir / "ours.npy", DType::kI32, {2, 3}, bytes);
  io::write_npy(dir / "scalar.npy", DType::kF64, {}, std::span(bytes).first(8));
  io::write_npy(dir / "row.npy", DType::kU8, {24}, bytes);
  run_python(python, dir, R"(
import sys, numpy as np
d = sys.argv[1]
raw = bytes(range(24))
a = np.load(d + '/ours.npy')
assert a.shape == (2, 3) and a.dtype == np.dtype('<i4') and a.tobytes() == raw
assert np.load(d + '/scalar.npy').shape == () and np.load(d + '/row.npy').shape == (24,)
np.save(d + '/theirs.npy', np.arange(12, dtype='<f4').reshape(3, 4))
np.save(d + '/fortran.npy', np.asfortranarray(np.zeros((3, 4))))
)",
             dir.path().string());
  const io::NpyFile theirs(dir / "theirs.npy");
  BOOST_TEST(theirs.shape() == (Shape{3, 4}));
  std::vector<float> row(4);
  theirs.read_rows(2, 1, std::as_writable_bytes(std::span(row)));
  BOOST_TEST(row == (std::vector<float>{8, 9, 10, 11}));
  BOOST_CHECK_THROW(io::NpyFile(dir / "fortran.npy"), InvalidArgument);
}
