#include "eflow/core/cuda/recorded_work.hpp"

#include <cstring>

namespace eflow::detail {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ hash >> 32;
}

/// Packs the fields of a product that are its structure.
std::uint64_t shape_of(const LibraryProduct& p) {
  std::uint64_t hash = static_cast<std::uint64_t>(p.in) << 8 | static_cast<std::uint64_t>(p.out);
  for (const long long n : {p.g.m, p.g.n, p.g.k, p.g.batch[0], p.g.batch[1], p.g.gelu})
    hash = mix(hash, static_cast<std::uint64_t>(n));
  return hash;
}

}  // namespace

void RecordedWork::add(const Work& work) {
  work_.push_back(work);
  signature_ = mix(signature_, static_cast<std::uint64_t>(work.kind) << 56 ^ work.bytes);
  if (work.kind == Work::kProduct) signature_ = mix(signature_, shape_of(product(work)));
  if (work.kind != Work::kKernel) return;
  signature_ = mix(signature_, reinterpret_cast<std::uintptr_t>(work.kernel));
  const auto yz = static_cast<std::uint64_t>(work.grid.y << 16 | work.grid.z);
  signature_ = mix(signature_, static_cast<std::uint64_t>(work.grid.x) << 32 ^ yz);
}

std::size_t RecordedWork::keep(const void* from, std::size_t bytes) {
  const std::size_t line = lines_.size();
  lines_.resize(line + (bytes + sizeof(Line) - 1) / sizeof(Line));
  std::memcpy(lines_.data() + line, from, bytes);
  return line;
}

void RecordedWork::add_kernel(const jit::CudaKernel& kernel, const jit::Grid& grid,
                              const void* args, std::size_t bytes) {
  add({.kind = Work::kKernel,
       .kernel = &kernel,
       .grid = grid,
       .bytes = bytes,
       .line = keep(args, bytes)});
}

void RecordedWork::add_copy(jit::CuAddress to, const void* from, std::size_t bytes) {
  add({.kind = Work::kCopy, .bytes = bytes, .to = to, .from = from});
}

void RecordedWork::add_fill(jit::CuAddress to, std::size_t bytes) {
  add({.kind = Work::kFill, .bytes = bytes, .to = to});
}

void RecordedWork::add_product(const LibraryProduct& product) {
  add({.kind = Work::kProduct, .bytes = sizeof product, .line = keep(&product, sizeof product)});
}

void RecordedWork::clear() {
  work_.clear();
  lines_.clear();
  signature_ = 0;
}

const LibraryProduct& RecordedWork::product(const Work& work) const {
  return *reinterpret_cast<const LibraryProduct*>(&lines_[work.line]);
}

bool RecordedWork::has_structure_of(const RecordedWork& other) const {
  if (signature_ != other.signature_ || size() != other.size()) return false;
  for (std::size_t i = 0; i < size(); ++i) {
    const Work &a = work_[i], &b = other.work_[i];
    if (a.kind != b.kind || a.kernel != b.kernel || a.bytes != b.bytes) return false;
    if (a.grid.x != b.grid.x || a.grid.y != b.grid.y || a.grid.z != b.grid.z) return false;
    if (a.kind == Work::kProduct && shape_of(product(a)) != shape_of(other.product(b)))
      return false;
  }
  return true;
}

bool RecordedWork::has_parameters_of(const RecordedWork& other, std::size_t i) const {
  const Work &a = work_[i], &b = other.work_[i];
  if (a.kind == Work::kCopy || a.kind == Work::kFill) return a.to == b.to && a.from == b.from;
  if (a.kind == Work::kProduct) {
    const LibraryProduct &p = product(a), &q = other.product(b);
    return p.in == q.in && p.out == q.out && std::memcmp(&p.g, &q.g, sizeof p.g) == 0;
  }
  return std::memcmp(arguments(a), other.arguments(b), a.bytes) == 0;
}

}  // namespace eflow::detail
