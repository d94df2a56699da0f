#pragma once
// A sequence of work for one stream, recorded instead of issued: kernels with their arguments,
// copies, fills, and library products. Internal to core.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "eflow/core/base/dtype.hpp"
#include "eflow/jit/cuda/api.hpp"
#include "eflow/jit/cuda/module.hpp"
#include "eflow/jit/kernel/grid.hpp"
#include "eflow/kernels_src/args/gemm.h"

namespace eflow::detail {

/// A product of the device's BLAS library.
struct LibraryProduct {
  args::Gemm g;
  DType in, out;
};

/// One piece of work. Its kind, kernel, grid and bytes are its structure; the rest, and the
/// arguments, are its parameters, which an executable graph can change.
struct Work {
  enum Kind : std::uint8_t { kKernel, kCopy, kFill, kProduct };
  Kind kind = kKernel;
  const jit::CudaKernel* kernel = nullptr;
  jit::Grid grid = {};
  std::size_t bytes = 0;       ///< of the arguments, the copy or the fill
  std::size_t line = 0;        ///< where the arguments begin
  jit::CuAddress to = 0;       ///< of a copy or fill
  const void* from = nullptr;  ///< of a copy: pinned host memory
};

class RecordedWork {
 public:
  /// Copies the arguments. The kernel must outlive the record.
  void add_kernel(const jit::CudaKernel& kernel, const jit::Grid& grid, const void* args,
                  std::size_t bytes);
  void add_copy(jit::CuAddress to, const void* from, std::size_t bytes);
  /// Sets bytes to 0.
  void add_fill(jit::CuAddress to, std::size_t bytes);
  void add_product(const LibraryProduct& product);

  /// Forgets the work but keeps the memory for the next record.
  void clear();

  [[nodiscard]] std::size_t size() const { return work_.size(); }
  [[nodiscard]] bool empty() const { return work_.empty(); }
  [[nodiscard]] const Work& operator[](std::size_t i) const { return work_[i]; }
  /// The arguments of a kernel, aligned to 128 bytes as tensor maps among them have to be.
  [[nodiscard]] const void* arguments(const Work& work) const { return &lines_[work.line]; }
  [[nodiscard]] const LibraryProduct& product(const Work& work) const;

  /// Hash of the structure of all work.
  [[nodiscard]] std::uint64_t signature() const { return signature_; }
  /// Whether all work has the same structure as that of another record.
  [[nodiscard]] bool has_structure_of(const RecordedWork& other) const;
  /// Whether piece `i` has the same parameters as that of a record of the same structure.
  [[nodiscard]] bool has_parameters_of(const RecordedWork& other, std::size_t i) const;

 private:
  struct alignas(128) Line {
    std::byte bytes[128];
  };
  void add(const Work& work);
  /// Appends bytes to the lines. Returns where they begin.
  std::size_t keep(const void* from, std::size_t bytes);

  std::vector<Work> work_;
  std::vector<Line> lines_;
  std::uint64_t signature_ = 0;
};

}  // namespace eflow::detail
