#include "eflow/soflow/objective/batch.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::soflow {
namespace {

Tensor take_rows(const Tensor& x, const std::vector<std::int64_t>& positions) {
  const NoGrad off;
  const auto count = static_cast<std::int64_t>(positions.size());
  const Tensor table = reshape(x.detach(), {x.size(0), -1});
  Shape shape = x.shape();
  shape[0] = count;
  return reshape(embedding(table, Tensor::from(positions, {count}, x.device())), shape);
}

}  // namespace

Batch Batch::rows(const std::vector<std::int64_t>& positions) const {
  Batch part;
  part.x0 = take_rows(x0, positions);
  if (context.defined()) part.context = take_rows(context, positions);
  part.null_context = null_context;
  for (const std::int64_t position : positions) {
    part.indices.push_back(indices.at(static_cast<std::size_t>(position)));
    if (!labels.empty()) part.labels.push_back(labels.at(static_cast<std::size_t>(position)));
  }
  return part;
}

void Batch::check() const {
  const auto count = static_cast<std::int64_t>(size());
  const bool ok = x0.defined() && x0.rank() >= 2 && x0.size(0) == count &&
                  (labels.empty() || labels.size() == size()) &&
                  (!context.defined() || context.size(0) == count);
  const bool null_fits =
      !null_context.defined() ||
      (context.defined() && context.rank() == 3 && null_context.rank() == 2 &&
       context.size(1) == null_context.size(0) && context.size(2) == null_context.size(1));
  if (ok && !null_fits) {
    throw ShapeError(str("[batch] null_context is ", null_context,
                         "; expected the shape of one sample's context, which is ",
                         context.defined() ? str(context) : "undefined"));
  }
  if (ok) return;
  throw ShapeError(str("[batch] x0 is ", x0.defined() ? str(x0) : "undefined", " with ", size(),
                       " indices and ", labels.size(),
                       " labels; expected one index and one label per row of x0, or no labels"));
}

nn::Condition condition_of(const Batch& batch, const std::vector<bool>& dropped,
                           std::int64_t null_label) {
  const NoGrad off;
  nn::Condition condition;
  const bool any = std::find(dropped.begin(), dropped.end(), true) != dropped.end();
  if (!batch.labels.empty()) {
    std::vector<std::int64_t> labels = batch.labels;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (dropped[i]) labels[i] = null_label;
    }
    condition.labels =
        Tensor::from(labels, {static_cast<std::int64_t>(labels.size())}, batch.x0.device());
  }
  if (batch.context.defined()) {
    const PerSample kept = [&] {
      PerSample factors;
      for (const bool drop : dropped) factors.push_back(drop ? 0 : 1);
      return factors;
    }();
    condition.context = any ? batch.context * as_factors(kept, batch.context) : batch.context;
    condition.null_context = batch.null_context;
    if (any && batch.null_context.defined()) {
      PerSample lost;
      for (const double factor : kept) lost.push_back(1 - factor);
      condition.context = condition.context + batch.null_context * as_factors(lost, batch.context);
    }
  }
  return condition;
}

}  // namespace eflow::soflow
