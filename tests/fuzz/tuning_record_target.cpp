// Tuning records, as they are read and imported.
#include "eflow/jit/cache/tuning_record.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {

std::vector<std::string> seeds() {
  jit::TuningRecord record;
  record.key.kernel = {"gemm", jit::KernelSpec("gemm", {DType::kF32, DType::kF32})};
  record.key.device = "cpu";
  record.key.arch = "avx2";
  record.tunables = {"rows"};
  record.configs.resize(2);
  record.configs[0].values = {0};
  record.configs[1].values = {96};
  record.best = 1;
  return {record.encode()};
}

void run(std::string_view input) {
  std::string why;
  const auto record = jit::TuningRecord::decode(input, why);
  if (record && !jit::TuningRecord::decode(record->encode(), why))
    throw std::logic_error("a record that was read cannot be read again: " + why);
}

}  // namespace eflow::fuzz
