// Runs a fuzz target's seeds, the target's inputs in tests/fuzz/corpus and mutations of both:
// NAME [MUTATIONS PER SEED]. Or writes the seeds into a folder, the first corpus of a campaign:
// NAME --write-seeds DIR. Equal on every machine.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>

#include "eflow/core/base/log.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace {

using eflow::fuzz::read_or_refuse;

/// Changes a few bytes, numbers or ranges of an input.
class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string operator()(const std::string& seed) {
    std::string bytes = seed;
    for (std::size_t i = 0, count = 1 + below(4); i < count; ++i) change(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void change(std::string& bytes) {
    const std::size_t at = below(bytes.size());
    switch (below(7)) {
      case 0:  // one bit
        if (!bytes.empty()) bytes[at] ^= static_cast<char>(1u << below(8));
        break;
      case 1:  // one byte
        if (!bytes.empty()) bytes[at] = static_cast<char>(random_());
        break;
      case 2:  // the end
        bytes.resize(at);
        break;
      case 3: {  // a number of 1 to 8 bytes at an edge of its range
        static constexpr std::uint64_t kEdges[] = {0,          1,          0x7f,       0xff,
                                                   0xffff,     0x7fffffff, 0xffffffff, 1ull << 32,
                                                   1ull << 62, ~0ull >> 1, ~0ull};
        const std::uint64_t value = kEdges[below(std::size(kEdges))];
        const std::size_t size = std::size_t{1} << below(4);
        for (std::size_t k = 0; k < size && at + k < bytes.size(); ++k)
          bytes[at + k] = static_cast<char>(value >> 8 * k);
        break;
      }
      case 4:  // a part of it again
        bytes.insert(at, bytes.substr(below(bytes.size()), below(64)));
        break;
      case 5:  // without a part
        bytes.erase(at, below(64));
        break;
      default: {  // a part of another seed
        const std::string& other = seeds_[below(seeds_.size())];
        bytes.insert(at, other.substr(below(other.size()), below(64)));
      }
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937_64 random_{1};
};

/// The committed inputs, in the order of their names: what campaigns found worth keeping, valid or
/// not.
std::vector<std::string> corpus() {
  std::vector<std::filesystem::path> paths;
  if (std::filesystem::is_directory(EFLOW_FUZZ_CORPUS)) {
    for (const auto& entry : std::filesystem::directory_iterator(EFLOW_FUZZ_CORPUS))
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

int write_seeds(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const std::string& seed : eflow::fuzz::seeds())
    std::ofstream(folder / ("seed-" + std::to_string(number++)), std::ios::binary) << seed;
  return number > 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  eflow::set_log_sink({});
  if (count == 3 && std::string_view(arguments[1]) == "--write-seeds")
    return write_seeds(arguments[2]);
  const int mutations = count > 1 ? std::atoi(arguments[1]) : 2000;
  const std::vector<std::string> seeds = eflow::fuzz::seeds();
  if (seeds.empty()) return 1;
  Mutator mutate(seeds);
  std::int64_t runs = 0;
  for (const std::string& seed : seeds) {
    eflow::fuzz::run(seed);  // a seed is valid: it must not even be refused
    for (int i = 0; i < mutations; ++i, ++runs) read_or_refuse(mutate(seed));
  }
  const std::vector<std::string> found = corpus();
  for (const std::string& input : found) {
    read_or_refuse(input);
    for (int i = 0; i < mutations / 20; ++i, ++runs) read_or_refuse(mutate(input));
  }
  std::printf("%zu seeds, %zu inputs, %lld mutations: no fault\n", seeds.size(), found.size(),
              static_cast<long long>(runs));
  return 0;
}
