#pragma once
// GuardedSource: the clips of another source, in which intact clips take the places of damaged ones.
// What takes a place depends on the data alone, not on when or by which thread damage was found, so
// a run can be interrupted and repeated.

#include <memory>
#include <string>
#include <vector>

#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/trainer/guard/damage.hpp"

namespace eflow::trainer {

/// A clip whose values do not match their checksum (CorruptData) is replaced by the next intact one;
/// one whose captions do not keeps its values and gets the null condition. Every other exception, such
/// as an IoError, passes. Thread-safe if the source is.
class GuardedSource final : public io::ClipSource {
 public:
  /// `folder` and `indices` say where the source's clips are in a data set, for the list; without
  /// indices, clip i is clip i.
  GuardedSource(std::unique_ptr<io::ClipSource> source, std::string folder,
                std::vector<std::int64_t> indices, std::shared_ptr<DamageList> list);

  [[nodiscard]] std::int64_t size() const override { return source_->size(); }
  [[nodiscard]] Shape clip_shape() const override { return source_->clip_shape(); }
  [[nodiscard]] std::int64_t class_count() const override { return source_->class_count(); }
  [[nodiscard]] std::vector<std::string> class_names() const override {
    return source_->class_names();
  }
  [[nodiscard]] double fps() const override { return source_->fps(); }
  /// Throws CorruptData if no clip is intact.
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  [[nodiscard]] Shape context_shape() const override { return source_->context_shape(); }
  /// Call after read() of the same clip, which finds out what takes its place.
  void read_context(std::int64_t index, std::uint64_t draw,
                    std::span<float> context) const override;
  void read_null_context(std::span<float> context) const override {
    source_->read_null_context(context);
  }

  /// Whether the values or captions of this clip are known to be damaged.
  [[nodiscard]] bool is_damaged(std::int64_t index) const;
  /// DamageList::meet() for this clip.
  bool meet(std::int64_t index, std::int64_t step) const;

 private:
  [[nodiscard]] std::int64_t place_of(std::int64_t index) const;
  [[nodiscard]] bool is_known(std::int64_t index, ClipPart part) const;
  void note(std::int64_t index, ClipPart part, const char* error) const;

  std::unique_ptr<io::ClipSource> source_;
  std::string folder_;
  std::vector<std::int64_t> indices_;
  std::shared_ptr<DamageList> list_;
};

}  // namespace eflow::trainer
