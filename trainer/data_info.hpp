#pragma once
// What a run must know of its data once the data is gone: shapes, label names, frame rate. Written into the run's folder
// as data.json, so that sampling needs no data set.

#include <filesystem>
#include <string>
#include <vector>

#include "eflow/io/clip_source.hpp"
#include "eflow/trainer/model_config.hpp"

namespace eflow::trainer {

struct DataInfo {
  ClipFormat clips;
  std::vector<std::string> class_names;  ///< none, or one a class
  double fps = 8;
  std::int64_t training_clips = 0;
  std::string fingerprint;  ///< of the data set's manifest; "" where there is none
};

[[nodiscard]] DataInfo describe(const io::ClipSource& source);

[[nodiscard]] std::string to_json(const DataInfo& info);
/// Throws CheckpointError naming `place` and what is wrong.
[[nodiscard]] DataInfo data_info_from_json(const std::string& text, const std::string& place);

/// The label of this name or number; throws InvalidArgument listing the names.
[[nodiscard]] std::int64_t label_of(const DataInfo& info, const std::string& name_or_number);
/// "walk left", or the number where classes have no names.
[[nodiscard]] std::string label_name(const DataInfo& info, std::int64_t label);

}  // namespace eflow::trainer
