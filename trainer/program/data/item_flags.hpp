#pragma once
// The options of commands that read what users have: `eflow data import` and `eflow data captions`.

#include <string>
#include <vector>

#include "eflow/io/import/open_source.hpp"
#include "eflow/trainer/options/options.hpp"

namespace eflow::program {

struct ItemFlags {
  std::string latents, labels, context, size;
  bool class_by_folder = false;
  std::int64_t frames = 16, overlap = 0, clips_per_video = 0;
  double fps = 0;

  [[nodiscard]] std::vector<trainer::Option> options();
  /// How inputs are to be read. `two_bytes_are_bf16`: io::ReadOptions. Throws InvalidArgument for a
  /// size that is none.
  [[nodiscard]] io::OpenOptions open_options(bool two_bytes_are_bf16) const;
};

/// Parses "832x480" or "16,21,60,104": numbers from 1 to 2^20 between `between`. Throws
/// InvalidArgument unless there are `count`.
[[nodiscard]] std::vector<std::int64_t> parse_sizes(const std::string& key, const std::string& text,
                                                    char between, std::size_t count);

}  // namespace eflow::program
