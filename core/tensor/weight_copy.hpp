#pragma once
// Weights in the dtype of matrix products. Master weights are f32, and a bf16 step uses each of them
// several times (students, teacher, forward, backward), so its bf16 copy is made once per update.

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::detail {

/// Returns w in `dtype`: w itself if it has that dtype; for parameters and their averages a copy
/// that is kept until the parameter is written; for other tensors a new copy. Not recorded. Threads:
/// may be called concurrently.
[[nodiscard]] Tensor weight_in(const Tensor& w, DType dtype);

/// The bf16 copy that weight_in() keeps of exactly these elements, if it is current: for an update
/// that writes both and says so by mark_copied(). Otherwise null.
[[nodiscard]] void* current_copy(const Tensor& w);
/// The copy of current_copy() has the values of w again. Call it after mark_written(w).
void mark_copied(const Tensor& w);

}  // namespace eflow::detail

EFLOW_EXPORT_END
