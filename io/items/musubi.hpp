#pragma once
// Caches of musubi-tuner for Wan: a latent in BASE_[SSSSS-FFF_]WWWWxHHHH_wan.safetensors, its text in
// BASE_wan_te.safetensors. Internal to io.

#include <filesystem>
#include <string>

#include "eflow/io/items/item.hpp"
#include "eflow/io/items/named_arrays.hpp"

namespace eflow::io {

/// Whether this file has the text of a musubi-tuner cache: "..._wan_te.safetensors".
[[nodiscard]] bool is_musubi_text(const std::filesystem::path& path);
/// Whether this file has a latent of a musubi-tuner cache, by its keys.
[[nodiscard]] bool is_musubi_latent(const NamedArrays& file);
/// The file with the text of this latent.
[[nodiscard]] std::filesystem::path musubi_text_of(const std::filesystem::path& latent);

/// Completes an item whose clip has been read from `latent`: its text, and that the latent is
/// normalised. Throws InvalidArgument if the cache is of another model than Wan 2.1.
void add_musubi_info(const NamedArrays& latent, const std::filesystem::path& path, Item& item);

}  // namespace eflow::io
