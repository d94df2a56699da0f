#pragma once
// The interface to labelled clips: a data set on disk, a procedural generator, or an embedding
// program's own storage.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// A fixed, indexable collection of clips of one shape. Implementations must be thread-safe: every
/// method may be called from several threads at once.
class ClipSource {
 public:
  virtual ~ClipSource() = default;
  /// Number of clips.
  [[nodiscard]] virtual std::int64_t size() const = 0;
  /// Shape [C, T, H, W] of every clip.
  [[nodiscard]] virtual Shape clip_shape() const = 0;
  /// Number of classes; labels are in [0, class_count()). 0 if clips have no labels.
  [[nodiscard]] virtual std::int64_t class_count() const = 0;
  /// One name per class, or an empty vector.
  [[nodiscard]] virtual std::vector<std::string> class_names() const { return {}; }
  /// Frames per second; used only to write animations.
  [[nodiscard]] virtual double fps() const { return 8.0; }
  /// Writes clip `index` into `clip` as C*T*H*W contiguous floats (pixels in [-1, 1], or latents)
  /// and returns its label, or 0 if clips have no labels. Throws InvalidArgument for an index out
  /// of range, CorruptData for damaged data, and whatever else the implementation throws.
  virtual std::int32_t read(std::int64_t index, std::span<float> clip) const = 0;
  /// Shape [L, E] of the conditioning tokens that accompany a clip in addition to its label; rank 0
  /// if there are none.
  [[nodiscard]] virtual Shape context_shape() const { return {}; }
  /// Writes the L*E floats of clip `index`'s conditioning tokens. `draw` is a uniform random number
  /// that chooses one if a clip has several; 0 chooses the first. Throws as read() does.
  virtual void read_context(std::int64_t /*index*/, std::uint64_t /*draw*/,
                            std::span<float> /*context*/) const {}
  /// Writes the L*E floats of the null condition, zeros unless a source knows better.
  virtual void read_null_context(std::span<float> context) const {
    for (float& value : context) value = 0;
  }
};

}  // namespace eflow::io

EFLOW_EXPORT_END
