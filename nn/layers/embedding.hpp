#pragma once
// Embedding: a learned vector per id.

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/module.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

class Embedding : public Module {
 public:
  /// The table is [rows, width], initialised to N(0, 0.02^2).
  Embedding(const Scope& scope, std::int64_t rows, std::int64_t width);
  /// ids i64 [...] in [0, rows) -> [..., width]
  [[nodiscard]] Tensor operator()(const Tensor& ids) const { return embedding(table_, ids); }

 private:
  Tensor table_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
