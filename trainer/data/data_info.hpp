#pragma once
// The facts about a data set that a run keeps: shapes, label names, frame rate. They are stored in
// the run's folder as data.json, so that sampling needs no data set.

#include <filesystem>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/io/media/latent_rgb.hpp"
#include "eflow/io/shard/manifest.hpp"
#include "eflow/trainer/config/clip_format.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// The text of a data set, as far as sampling needs it.
struct TextInfo {
  std::int64_t length = 0;        ///< L, to which contexts are padded; 0: no text
  std::string encoder = {};       ///< name of the text encoder
  std::string encoder_hash = {};  ///< of its weights; may be empty
  std::vector<float> null = {};   ///< [L, E] of the null condition; empty: zeros
};

struct DataInfo {
  ClipFormat clips = {};
  std::vector<std::string> class_names = {};  ///< one per class, or empty
  double fps = 8;
  std::int64_t training_clips = 0;
  std::string fingerprint = {};  ///< hash of the data set's manifest; empty if it has none
  TextInfo text = {};            ///< text.null is stored by checkpoints, not by to_json()
  io::LatentSpace latent = {};   ///< the network's values are (latent - mean) / std
  io::LatentRgb rgb = {};        ///< for pictures of latents; may be undefined
};

/// Facts about a source. The fingerprint stays empty, and so do the text encoder and the latent
/// space unless it is an io::Dataset.
[[nodiscard]] DataInfo describe(const io::ClipSource& source);

[[nodiscard]] std::string to_json(const DataInfo& info);
/// Inverse of to_json(). Throws CheckpointError naming `where` and the fault.
[[nodiscard]] DataInfo data_info_from_json(const std::string& text, const std::string& where);

/// The null context of a source, L*E values; empty if it is zero or the source has no context.
[[nodiscard]] std::vector<float> null_context_values(const io::ClipSource& source);

/// The null context [L, E] as a tensor; undefined if it is zero.
[[nodiscard]] Tensor null_context_of(const DataInfo& info);

/// The label with this class name or number. Throws InvalidArgument listing the names.
[[nodiscard]] std::int64_t label_of(const DataInfo& info, const std::string& name_or_number);
/// The class name of `label` ("disc pulse"), or the number as text if classes have no names.
[[nodiscard]] std::string label_name(const DataInfo& info, std::int64_t label);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
