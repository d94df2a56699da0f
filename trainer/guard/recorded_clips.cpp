#include "eflow/trainer/guard/recorded_clips.hpp"

#include <algorithm>
#include <bit>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {
namespace {

std::string name_of(std::size_t number, const char* what) {
  return str("source", number, ".", what);
}

Shape many(std::size_t count, const Shape& one) {
  Shape all{static_cast<std::int64_t>(count)};
  for (const std::int64_t d : one) all.push_back(d);
  return all;
}

template <class T>
io::ArrayToStore stored(const std::string& name, const char* dtype, const Shape& shape,
                        const std::vector<T>& values) {
  return {name, dtype, shape, std::as_bytes(std::span(values))};
}

[[noreturn]] void refuse(const io::SafetensorsFile& file, const std::string& name,
                         const std::string& fault) {
  throw CorruptData(str("[replay] ", file.path().string(), ", array ", name, ": ", fault));
}

/// The values of an array of shape [count, one...], and its shape without the count.
std::vector<float> read_rows(const io::SafetensorsFile& file, const std::string& name,
                             std::size_t count, int rank, Shape* one) {
  const io::StoredArray& array = file.array(name);
  if (array.shape.rank() != rank + 1 || array.shape[0] != static_cast<std::int64_t>(count))
    refuse(file, name, str("expected ", count, " rows of rank ", rank, ", found ", array.shape));
  *one = {};
  for (int i = 1; i <= rank; ++i) one->push_back(array.shape[i]);
  std::vector<float> values(static_cast<std::size_t>(element_count(array.shape)));
  file.read_floats(name, 0, values);
  return values;
}

}  // namespace

RecordedClips::RecordedClips(const io::ClipSource& source, const std::vector<StepClip>& clips,
                             std::size_t number)
    : size_(source.size()),
      classes_(source.class_count()),
      shape_(source.clip_shape()),
      context_shape_(source.context_shape()),
      facts_{size_, classes_} {
  const auto per_clip = static_cast<std::size_t>(element_count(shape_));
  const bool text = context_shape_.rank() > 0;
  const std::size_t per_context =
      text ? static_cast<std::size_t>(element_count(context_shape_)) : 0;
  for (const StepClip& clip : clips) {
    if (clip.source != number) continue;
    indices_.push_back(clip.index);
    draws_.push_back(clip.draw);
    values_.resize(values_.size() + per_clip);
    labels_.push_back(source.read(clip.index, std::span(values_).last(per_clip)));
    contexts_.resize(contexts_.size() + per_context);
    if (text) source.read_context(clip.index, clip.draw, std::span(contexts_).last(per_context));
  }
  null_context_.resize(per_context);
  if (text) source.read_null_context(null_context_);
}

RecordedClips::RecordedClips(const io::SafetensorsFile& file, std::size_t number) {
  const std::string facts = name_of(number, "facts");
  facts_ = file.read_integers(facts);
  if (facts_.size() != 2 || facts_[0] < 1 || facts_[1] < 0)
    refuse(file, facts, "expected the number of clips and of classes");
  size_ = facts_[0], classes_ = facts_[1];
  indices_ = file.read_integers(name_of(number, "indices"));
  labels_ = file.read_integers(name_of(number, "labels"));
  const auto draws = file.read_integers(name_of(number, "draws"));
  if (labels_.size() != indices_.size() || draws.size() != indices_.size())
    refuse(file, name_of(number, "labels"), str("expected ", indices_.size(), " values"));
  for (const std::int64_t draw : draws) draws_.push_back(std::bit_cast<std::uint64_t>(draw));
  for (const std::int64_t label : labels_) {
    if (label < 0 || label >= std::max<std::int64_t>(1, classes_))
      refuse(file, name_of(number, "labels"), str("label ", label, " of ", classes_, " classes"));
  }
  values_ = read_rows(file, name_of(number, "clips"), indices_.size(), 4, &shape_);
  const std::string contexts = name_of(number, "contexts");
  if (!file.contains(contexts)) return;
  contexts_ = read_rows(file, contexts, indices_.size(), 2, &context_shape_);
  Shape same;
  null_context_ = read_rows(file, name_of(number, "null_context"), 1, 2, &same);
  if (same != context_shape_)
    refuse(file, contexts, str("null context ", same, ", contexts ", context_shape_));
}

std::vector<io::ArrayToStore> RecordedClips::arrays(std::size_t number) const {
  const Shape count{static_cast<std::int64_t>(indices_.size())};
  std::vector<io::ArrayToStore> all = {
      stored(name_of(number, "facts"), "I64", {2}, facts_),
      stored(name_of(number, "indices"), "I64", count, indices_),
      stored(name_of(number, "labels"), "I64", count, labels_),
      stored(name_of(number, "draws"), "I64", count, draws_),
      stored(name_of(number, "clips"), "F32", many(indices_.size(), shape_), values_)};
  if (context_shape_.rank() == 0) return all;
  all.push_back(
      stored(name_of(number, "contexts"), "F32", many(indices_.size(), context_shape_), contexts_));
  all.push_back(
      stored(name_of(number, "null_context"), "F32", many(1, context_shape_), null_context_));
  return all;
}

std::size_t RecordedClips::find(std::int64_t index, const std::uint64_t* draw) const {
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    if (indices_[i] == index && (draw == nullptr || draws_[i] == *draw)) return i;
  }
  throw InvalidArgument(str("[replay] clip ", index, " is not among the ", indices_.size(),
                            " clips of the recorded step"));
}

std::int32_t RecordedClips::read(std::int64_t index, std::span<float> clip) const {
  const std::size_t at = find(index, nullptr);
  std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(at * clip.size()), clip.size(),
              clip.begin());
  return static_cast<std::int32_t>(labels_[at]);
}

void RecordedClips::read_context(std::int64_t index, std::uint64_t draw,
                                 std::span<float> context) const {
  const std::size_t at = find(index, &draw);
  std::copy_n(contexts_.begin() + static_cast<std::ptrdiff_t>(at * context.size()), context.size(),
              context.begin());
}

void RecordedClips::read_null_context(std::span<float> context) const {
  std::copy(null_context_.begin(), null_context_.end(), context.begin());
}

}  // namespace eflow::trainer
