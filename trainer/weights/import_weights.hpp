#pragma once
// Public weights as a model here: Wan 2.1's text-to-video transformers and AnyFlow's, from
// diffusers' folders, Wan's own files or ComfyUI's.

#include <filesystem>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/layers/module.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/data/data_info.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

enum class WeightsOf { kWan21, kAnyFlow };
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 2> kWeightsOfNames = {"wan2.1", "anyflow"};
[[nodiscard]] std::string_view name_of(WeightsOf from);

struct ImportRequest {
  WeightsOf from = WeightsOf::kWan21;
  std::filesystem::path weights = {};  ///< a file or folder, as WeightFiles takes it
  /// Of the latent clips that the model is to generate; the weights themselves fit any.
  std::int64_t frames = 21, height = 60, width = 104;
  std::int64_t heads = 0;  ///< 0: as config.json says, or of width 128
};

struct ImportedModel {
  Config config = {};                   ///< dit_config(config, data.clips) is the network
  DataInfo data = {};                   ///< clips, latent space and text of the model
  nn::NamedTensors weights = {};        ///< f32, on the default device
  std::vector<std::string> notes = {};  ///< what was assumed or left out; one sentence each
};

/// Reads the weights. Throws InvalidArgument naming what the files hold that has no counterpart here
/// (image encoders, compressed chunks, unknown weights), what is missing and which shape differs;
/// CorruptData, IoError.
[[nodiscard]] ImportedModel import_weights(const ImportRequest& request);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
