#pragma once
// ExactSource: clips of an exactly known flow (soflow/exact_flow.hpp) as a data set that needs no
// file. Every clip is made when it is read, by its index, so there are as many as anyone asks for.

#include "eflow/io/clip_source.hpp"
#include "eflow/soflow/exact_flow.hpp"
#include "eflow/trainer/config.hpp"

namespace eflow::trainer {

class ExactSource final : public io::ClipSource {
 public:
  /// Throws what ExactFlow throws.
  explicit ExactSource(const soflow::ExactOptions& options) : flow_(options) {}

  [[nodiscard]] std::int64_t size() const override { return std::int64_t{1} << 20; }
  [[nodiscard]] Shape clip_shape() const override { return flow_.options().clip; }
  [[nodiscard]] std::int64_t class_count() const override { return 0; }
  /// The condition of the guided flow.
  [[nodiscard]] Shape context_shape() const override;
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  void read_context(std::int64_t index, std::span<float> context) const override;

 private:
  soflow::ExactFlow flow_;
};

/// Throws InvalidArgument for exact.kind = none.
[[nodiscard]] soflow::ExactOptions exact_options(const ExactConfig& config);

}  // namespace eflow::trainer
