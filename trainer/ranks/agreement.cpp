#include "eflow/trainer/ranks/agreement.hpp"

#include <algorithm>
#include <filesystem>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/cache/disk_cache.hpp"
#include "eflow/jit/cache/tuning_database.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/version.hpp"

namespace eflow::trainer {
namespace {

/// One line per fact. Values are single lines: options are, and so is what facts_of_build() returns.
std::string text_of(const Facts& facts) {
  std::string text;
  for (const auto& [key, value] : facts) text += key + "=" + value + "\n";
  return text;
}

/// The text from `at` to the end of its line.
std::string line_at(const std::string& text, std::size_t at) {
  return text.substr(at, text.find('\n', at) - at);
}

/// Hash of this process's program file.
std::string hash_of_program() {
  try {
    return to_hex(hash64(read_file("/proc/self/exe", 1ull << 32)));
  } catch (const IoError&) {
    return "unknown";
  }
}

/// Hash of the tuned configurations of this device's kernels, which change the last bits.
std::string hash_of_tuning(const jit::Runtime& runtime) {
  const jit::DiskCache* disk = runtime.builder().disk();
  if (disk == nullptr || runtime.options().tune == jit::TuneMode::kOff) return "none";
  std::string text;
  for (const jit::TuningRecord& record : jit::TuningDatabase(disk->options().root).all()) {
    const bool ours = record.key.device == runtime.limits().name && record.finished;
    const auto best = static_cast<std::size_t>(record.best);
    if (ours && best < record.configs.size())
      text += record.key.digest() + record.text_of(record.configs[best]) + "\n";
  }
  return text.empty() ? "none" : to_hex(hash64(std::string_view(text)));
}

}  // namespace

Facts facts_of(const Config& config) {
  Config copy = config;
  Facts facts;
  for (const Option& option : options_of(copy)) {
    if (option.key != "train.threads") facts.emplace_back(option.key, describe_value(option));
  }
  return facts;
}

Facts facts_of_build() {
  const jit::Runtime& runtime = default_device()->runtime();
  return {{"version", EFLOW_VERSION},
          {"program", hash_of_program()},
          {"instruction set", runtime.target().arch},
          {"tuned kernels", hash_of_tuning(runtime)}};
}

void require_agreement(const Facts& mine, comm::Communicator* ranks) {
  const std::vector<std::string> all = ranks->gather(text_of(mine), {"configuration"});
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    const std::string &first = all[0], &other = all[rank];
    if (first == other) continue;
    const auto differs = std::mismatch(first.begin(), first.end(), other.begin(), other.end());
    const auto at = static_cast<std::size_t>(differs.first - first.begin());
    const std::size_t begin = at == 0 ? 0 : first.rfind('\n', at - 1) + 1;
    const std::string expected = line_at(first, begin), found = line_at(other, begin);
    const std::string key = expected.substr(0, expected.find('='));
    throw InvalidArgument(str("[ranks] ", key, " differs between ranks: ", ranks->name_of(0),
                              " has ", expected, ", ", ranks->name_of(static_cast<int>(rank)),
                              " has ", found,
                              "; start all ranks with the same program, options "
                              "and tuning"));
  }
}

}  // namespace eflow::trainer
