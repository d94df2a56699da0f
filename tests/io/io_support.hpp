#pragma once
// Small data sets, file manipulation and child processes for the io tests.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "eflow/io/dataset/dataset.hpp"
#include "eflow/io/dataset/dataset_writer.hpp"
#include "eflow/tests/support/temp_dir.hpp"

namespace eflow::test {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

inline io::DatasetSpec small_spec(DType dtype) {
  io::DatasetSpec spec;
  spec.dtype = dtype;
  spec.shape = {3, 2, 5, 4};
  spec.class_count = 3;
  spec.class_names = {"a", "b", "c"};
  spec.mapping = dtype == DType::kU8 ? io::kPixelMapping : io::ValueMapping{};
  spec.content_key = "test";
  return spec;
}

/// The stored bytes of clip i: smooth, finite values that differ between clips.
inline Bytes small_clip(const io::DatasetSpec& spec, std::int64_t i) {
  const auto n = static_cast<std::size_t>(element_count(spec.shape));
  Bytes out(n * size_of(spec.dtype));
  for (std::size_t k = 0; k < n; ++k) {
    const float value = std::sin(0.1f * static_cast<float>(k) + static_cast<float>(i));
    if (spec.dtype == DType::kU8) {
      out[k] = static_cast<std::byte>(std::lround(127.5f + 127.5f * value));
    } else if (spec.dtype == DType::kBF16) {
      const bfloat16 half(value);
      std::memcpy(out.data() + 2 * k, &half, 2);
    } else {
      std::memcpy(out.data() + 4 * k, &value, 4);
    }
  }
  return out;
}

inline io::ShardLimits small_shards() {
  return {1 << 20, 4};
}

inline void add_clips(io::DatasetWriter& writer, const io::DatasetSpec& spec, std::int64_t end) {
  for (std::int64_t i; (i = writer.clips_done()) < end;) {
    writer.add(small_clip(spec, i), static_cast<std::int32_t>(i % 3));
  }
}

inline void make_dataset(const fs::path& directory, DType dtype, std::int64_t clips) {
  const io::DatasetSpec spec = small_spec(dtype);
  io::DatasetWriter writer(directory, spec, small_shards());
  add_clips(writer, spec, clips);
  writer.finish();
}

inline std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void spill(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

/// Flips one bit of byte `at` in place; a second call restores the file.
inline void flip_bit(const fs::path& path, std::size_t at) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(at));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(byte ^ (1 << (at % 8))));
}

/// Relative paths and contents of all files under `directory`, sorted.
inline std::vector<std::pair<std::string, std::string>> snapshot(const fs::path& directory) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) {
      out.emplace_back(fs::relative(entry.path(), directory).string(), slurp(entry.path()));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// Runs `body` in a child process that gets SIGKILL after `microseconds`. Returns true if the child
/// was still running.
inline bool run_and_kill(unsigned microseconds, const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      body();
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::usleep(microseconds);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

/// Returns the message of the E that `body` throws, or an empty string if it returns.
template <class E, class F>
std::string text_of(const F& body) {
  try {
    body();
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace eflow::test
