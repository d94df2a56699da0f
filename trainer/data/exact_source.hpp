#pragma once
// ExactSource: samples of an exactly known flow (soflow/exact/exact_flow.hpp) as a data set without
// files. Every clip is a pure function of its index and is generated when it is read.

#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/soflow/exact/exact_flow.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

class ExactSource final : public io::ClipSource {
 public:
  /// Throws what ExactFlow's constructor throws.
  explicit ExactSource(const soflow::ExactOptions& options) : flow_(options) {}

  /// An arbitrary large number: any index can be generated.
  [[nodiscard]] std::int64_t size() const override { return std::int64_t{1} << 20; }
  [[nodiscard]] Shape clip_shape() const override { return flow_.options().clip; }
  [[nodiscard]] std::int64_t class_count() const override { return 0; }
  /// The condition of a guided flow; rank 0 for the other kinds.
  [[nodiscard]] Shape context_shape() const override;
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  void read_context(std::int64_t index, std::uint64_t draw,
                    std::span<float> context) const override;

 private:
  soflow::ExactFlow flow_;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END
