#pragma once
// TuningRecord: all that is known of one kernel's configs for one specialisation, one bucket of shapes and one device. A
// JSON file in the tuning database; docs/jit.md has its fields.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eflow/jit/config_space.hpp"
#include "eflow/jit/kernel_definitions.hpp"
#include "eflow/jit/shape_bucket.hpp"

namespace eflow::jit {

/// What a record is found by.
struct TuningKey {
  KernelRef kernel;  ///< every tunable at its default
  ShapeBucket shape;
  std::string device, arch;  ///< DeviceLimits::name, arch
  /// 32 digits, the file's name.
  [[nodiscard]] std::string digest() const;
};

enum class ConfigState {
  kNew,      ///< not tried yet
  kTrying,   ///< being run for the first time: found in a file, it ended its process
  kOk,       ///< computes what the default computes
  kWrong,    ///< does not
  kFailed,   ///< does not compile or launch
  kCrashed,  ///< ended two processes
};
[[nodiscard]] std::string_view name_of(ConfigState state);

struct ConfigRecord {
  std::vector<int> values;  ///< of the tunables, in their order
  std::string label = "";   ///< for readers, where the values say nothing to them
  ConfigState state = ConfigState::kNew;
  int tries = 0;                ///< first runs begun
  std::string why = "";         ///< it is kWrong, kFailed
  std::vector<double> us = {};  ///< microseconds of a launch, one a round
};

struct TuningRecord {
  static constexpr int kSchema = 1;

  TuningKey key;
  std::string text, toolchain;  ///< hash of the kernel's texts; the compiler. Times are of these.
  std::vector<std::string> tunables;
  std::vector<ConfigRecord> configs;  ///< the first is the default
  int best = 0;
  double gain = 0;        ///< 1 - time of best / time of the default
  bool finished = false;  ///< false: the tuner was ended; it goes on where it was
  std::string at;         ///< "2026-09-23T10:00:00Z", when it was finished

  [[nodiscard]] std::string encode() const;
  /// nullopt, and what is wrong in `why`, for what is no record of this schema.
  [[nodiscard]] static std::optional<TuningRecord> decode(std::string_view json, std::string& why);

  /// The index of the config with these values, or -1.
  [[nodiscard]] int find(const std::vector<int>& values) const;
  /// "rows=64 keys=32", or the config's label.
  [[nodiscard]] std::string text_of(const ConfigRecord& config) const;
};

}  // namespace eflow::jit
