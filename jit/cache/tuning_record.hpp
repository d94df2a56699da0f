#pragma once
// TuningRecord: the tuner's knowledge of a kernel's configs for one specialisation, one bucket of
// shapes and one device. Stored as a JSON file in the tuning database; docs/jit.md describes the
// fields.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/config_space.hpp"
#include "eflow/jit/kernel/definitions.hpp"
#include "eflow/jit/kernel/shape_bucket.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Identifies a record.
struct TuningKey {
  KernelRef kernel = {};  ///< with every tunable at its default
  ShapeBucket shape = {};
  std::string device = "", arch = "";  ///< DeviceLimits::name and DeviceLimits::arch
  /// 32 hexadecimal digits, used as the file name.
  [[nodiscard]] std::string digest() const;
};

/// "(512, 1024] x (64, 128]".
[[nodiscard]] std::string to_string(ShapeBucket shape);

enum class ConfigState {
  kNew,      ///< not tried yet
  kTrying,   ///< first run in progress; if found in a file, that run killed its process
  kOk,       ///< agrees with the default config's result
  kWrong,    ///< disagrees with the default config's result
  kFailed,   ///< does not compile or launch
  kCrashed,  ///< killed the process twice
};
[[nodiscard]] std::string_view name_of(ConfigState state);

/// How deeply the brackets of a JSON text are nested.
[[nodiscard]] int nesting_of(std::string_view json);

/// One config and what is known of it.
struct ConfigRecord {
  std::vector<int> values = {};  ///< of the tunables, in their order
  std::string label = "";        ///< name shown to readers instead of the values, if not empty
  ConfigState state = ConfigState::kNew;
  int tries = 0;                ///< first runs started
  std::string why = "";         ///< reason for kWrong or kFailed
  std::vector<double> us = {};  ///< microseconds per launch, one sample per round
};

struct TuningRecord {
  /// Schema 1 had no checksum; such records are still read.
  static constexpr int kSchema = 2;

  TuningKey key = {};
  std::string text = "";       ///< hash of the kernel's texts; the times are only valid for these
  std::string toolchain = "";  ///< compiler that the times are valid for
  std::vector<std::string> tunables = {};
  std::vector<ConfigRecord> configs = {};  ///< the first is the default
  int best = 0;                            ///< index into `configs`
  double gain = 0;                         ///< 1 - time of best / time of the default
  bool finished = false;  ///< false if the tuner was interrupted; the next run resumes
  std::string at = "";    ///< when it finished, in UTC: "2026-09-23T10:00:00Z"

  /// The record as JSON.
  [[nodiscard]] std::string encode() const;
  /// Parses a record. Returns nullopt and sets `why` if the JSON is not a record of this schema, if
  /// its checksum does not match, or if a name in it could not be part of a path.
  [[nodiscard]] static std::optional<TuningRecord> decode(std::string_view json, std::string& why);

  /// The index of the config with these values; -1 if there is none.
  [[nodiscard]] int find(const std::vector<int>& values) const;
  /// The config's label or, if empty, its values: "rows=64 keys=32".
  [[nodiscard]] std::string text_of(const ConfigRecord& config) const;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END
