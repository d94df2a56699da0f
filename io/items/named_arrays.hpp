#pragma once
// Files that hold several named arrays (.safetensors, .npz), and which of them are the clip, its
// captions' embeddings and its label.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/io/items/item.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// The names of arrays in a file; an empty name means: find it by the names in common use.
struct ArrayKeys {
  std::string clip{}, context{}, label{};
};

/// An open file of named arrays.
class NamedArrays {
 public:
  virtual ~NamedArrays() = default;
  [[nodiscard]] virtual std::vector<std::string> names() const = 0;
  /// Throws InvalidArgument if the array's type is not supported.
  [[nodiscard]] virtual RawArray read(const std::string& name) const = 0;
  [[nodiscard]] virtual std::int64_t read_label(const std::string& name) const = 0;
  [[nodiscard]] virtual std::map<std::string, std::string> metadata() const { return {}; }
};

[[nodiscard]] std::unique_ptr<NamedArrays> open_safetensors(const std::filesystem::path& path);
[[nodiscard]] std::unique_ptr<NamedArrays> open_npz(const std::filesystem::path& path,
                                                    bool two_bytes_are_bf16);

/// The keys of this file. A key of `wanted` must be there. The clip is "latents", "latent",
/// "vae_latent", "video", "videos", "clip", a musubi-tuner name such as
/// "latents_21x60x104_bfloat16", or the only array. Throws InvalidArgument listing the names if it
/// is none of these.
[[nodiscard]] ArrayKeys find_keys(const std::vector<std::string>& names, const ArrayKeys& wanted,
                                  const std::string& where);

/// Whether `name` is `prefix` and, after it, a dtype of PyTorch ("varlen_t5_bfloat16"), or for
/// sized, TxHxW_ and a dtype ("latents_21x60x104_bfloat16").
[[nodiscard]] bool is_musubi_key(std::string_view name, std::string_view prefix, bool sized);

/// Fills clip, captions' embeddings, label and what the metadata say.
void read_named_arrays(const NamedArrays& file, const ArrayKeys& wanted, const std::string& where,
                       Item& item);

}  // namespace eflow::io

EFLOW_EXPORT_END
