#pragma once
// Where labelled clips come from: a data set on disk, a generator, or an embedding program's own
// store.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eflow/base/shape.hpp"

namespace eflow::io {

/// A fixed, indexable collection of clips of one shape. Every method may be called from several
/// threads at once.
class ClipSource {
 public:
  virtual ~ClipSource() = default;
  /// Number of clips.
  [[nodiscard]] virtual std::int64_t size() const = 0;
  /// [C, T, H, W] of every clip.
  [[nodiscard]] virtual Shape clip_shape() const = 0;
  /// Labels lie in [0, class_count()); 0 where clips have no labels.
  [[nodiscard]] virtual std::int64_t class_count() const = 0;
  /// One name per class, or none at all.
  [[nodiscard]] virtual std::vector<std::string> class_names() const { return {}; }
  /// Frames a second, for pictures only.
  [[nodiscard]] virtual double fps() const { return 8.0; }
  /// Writes clip `index`, C*T*H*W contiguous floats (pixels in [-1, 1], or latents), into `clip`;
  /// returns its label (0 where there are none). Throws what the source throws: CorruptData for
  /// damage, InvalidArgument for a bad index.
  virtual std::int32_t read(std::int64_t index, std::span<float> clip) const = 0;
  /// [L, E] of what a clip is told beside its label, tokens of a text; no dimensions where nothing.
  [[nodiscard]] virtual Shape context_shape() const { return {}; }
  /// Writes the L*E floats of clip `index`. Throws as read() does.
  virtual void read_context(std::int64_t /*index*/, std::span<float> /*context*/) const {}
};

}  // namespace eflow::io
