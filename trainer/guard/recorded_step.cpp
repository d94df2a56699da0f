#include "eflow/trainer/guard/recorded_step.hpp"

#include <map>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"

namespace eflow::trainer {
namespace {

constexpr const char* kFormat = "eflow-recorded-step-1";
constexpr std::uint64_t kMaxBytes = 1ull << 36;

/// The arrays of outcome and samples; `bytes` keeps the values that they refer to.
struct OutcomeArrays {
  explicit OutcomeArrays(const StepOutcome& outcome) : totals{outcome.loss, outcome.grad_norm} {
    for (const soflow::SampleRecord& sample : outcome.samples) {
      indices.push_back(sample.index);
      losses.push_back(sample.loss);
    }
  }
  [[nodiscard]] std::vector<io::ArrayToStore> arrays() const {
    const Shape count{static_cast<std::int64_t>(indices.size())};
    return {{"outcome", "F64", {2}, std::as_bytes(std::span(totals))},
            {"samples.indices", "I64", count, std::as_bytes(std::span(indices))},
            {"samples.losses", "F64", count, std::as_bytes(std::span(losses))}};
  }
  std::vector<double> totals, losses = {};
  std::vector<std::int64_t> indices = {};
};

std::string checksum_of(const std::string& bytes) {
  return to_hex(hash128(std::as_bytes(std::span(bytes))));
}

/// The file with its checksum, which is that of the same file without one.
std::string encode(const RecordedStep& step) {
  std::map<std::string, std::string> facts = {
      {"format", kFormat}, {"step", str(step.step)}, {"sources", str(step.sources.size())}};
  const OutcomeArrays outcome(step.outcome);
  std::vector<io::ArrayToStore> arrays = outcome.arrays();
  for (std::size_t j = 0; j < step.sources.size(); ++j) {
    for (io::ArrayToStore& array : step.sources[j].arrays(j)) arrays.push_back(std::move(array));
  }
  facts["checksum"] = checksum_of(io::encode_safetensors(arrays, facts));
  return io::encode_safetensors(arrays, facts);
}

std::int64_t number_of(const io::SafetensorsFile& file, const std::string& key) {
  const std::string text = file.metadata(key);
  const bool digits = !text.empty() && text.size() < 16 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits)
    throw CorruptData(str("[replay] ", file.path().string(), ": \"", key, "\" is no number"));
  return std::stoll(text);
}

std::vector<double> read_doubles(const io::SafetensorsFile& file, const std::string& name,
                                 std::size_t count) {
  const io::StoredArray& array = file.array(name);
  std::vector<double> values(count);
  if (array.dtype != "F64" || array.bytes != count * sizeof(double))
    throw CorruptData(str("[replay] ", file.path().string(), ", array ", name, ": expected ", count,
                          " values of F64"));
  file.read(array, 0, std::as_writable_bytes(std::span(values)));
  return values;
}

}  // namespace

void write_recorded_step(const std::filesystem::path& path, const RecordedStep& step) {
  write_file_atomically(path, encode(step));
}

RecordedStep read_recorded_step(const std::filesystem::path& path) {
  const io::SafetensorsFile file(path);
  if (file.metadata("format") != kFormat)
    throw CorruptData(str("[replay] ", path.string(), ": expected format ", kFormat, ", found \"",
                          file.metadata("format"), "\""));
  RecordedStep step{.step = number_of(file, "step")};
  try {
    const auto totals = read_doubles(file, "outcome", 2);
    step.outcome.loss = totals[0], step.outcome.grad_norm = totals[1];
    const auto indices = file.read_integers("samples.indices");
    const auto losses = read_doubles(file, "samples.losses", indices.size());
    for (std::size_t i = 0; i < indices.size(); ++i)
      step.outcome.samples.push_back({.index = indices[i], .loss = losses[i]});
    const std::int64_t sources = number_of(file, "sources");
    for (std::int64_t j = 0; j < sources; ++j)
      step.sources.emplace_back(file, static_cast<std::size_t>(j));
  } catch (const InvalidArgument& error) {  // a missing array, or one of another dtype
    throw CorruptData(str("[replay] ", path.string(), ": ", error.what()));
  }
  if (encode(step) != read_file(path, kMaxBytes)) {
    throw CorruptData(str("[replay] ", path.string(), ": the checksum of its content is not \"",
                          file.metadata("checksum"), "\": the file is damaged"));
  }
  return step;
}

}  // namespace eflow::trainer
