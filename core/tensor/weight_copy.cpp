#include "eflow/core/tensor/weight_copy.hpp"

#include <mutex>

#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/tensor_node.hpp"

namespace eflow::detail {
namespace {

std::mutex copies_mutex;  // held for a lookup and, if a copy is not current, to issue one

bool is_kept(const Tensor& w) {
  const Storage& storage = *w.node()->storage;
  const bool parameter =
      storage.use == MemoryUse::kParameters || storage.use == MemoryUse::kAverages;
  const auto bytes = static_cast<std::size_t>(w.count()) * size_of(w.dtype());
  return parameter && w.is_contiguous() && w.node()->offset == 0 && bytes <= storage.bytes;
}

}  // namespace

Tensor weight_in(const Tensor& w, DType dtype) {
  if (w.dtype() == dtype) return w;
  const NoGrad off;
  if (dtype != DType::kBF16 || !is_kept(w)) return cast(w, dtype);
  const std::lock_guard lock(copies_mutex);
  Storage& storage = *w.node()->storage;
  const std::uint64_t version = storage.version;
  if (storage.narrow && storage.narrow_version == version)
    return Tensor(make_node(w.shape(), w.strides(), dtype, 0, storage.narrow));
  Tensor copy = storage.narrow ? Tensor(make_node(w.shape(), w.strides(), dtype, 0, storage.narrow))
                               : Tensor::empty(w.shape(), dtype, w.device());
  if (!storage.narrow) {
    note_use(copy, storage.use);
    storage.narrow = copy.node()->storage;
    storage.narrow_count = w.count();
  }
  copy_elements(w, copy);
  mark_written(copy);
  storage.narrow_version = version;
  return copy;
}

void* current_copy(const Tensor& w) {
  if (!w.defined() || !is_kept(w)) return nullptr;
  const std::lock_guard lock(copies_mutex);
  const Storage& storage = *w.node()->storage;
  const bool current = storage.narrow && storage.narrow_version == storage.version &&
                       storage.narrow_count == w.count();
  return current ? storage.narrow->memory : nullptr;
}

void mark_copied(const Tensor& w) {
  const std::lock_guard lock(copies_mutex);
  Storage& storage = *w.node()->storage;
  storage.narrow_version = storage.version;
}

}  // namespace eflow::detail
