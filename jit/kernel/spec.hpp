#pragma once
// KernelSpec: identifies one specialisation of a kernel. 64 bytes of plain data, compared bytewise, so
// that it can serve as the key of the launch tables.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// FNV-1a hash of a kernel's name; a KernelSpec stores the name as this hash.
[[nodiscard]] constexpr std::uint64_t text_id(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325ull;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return h;
}

/// A kernel name with the dtypes and constants of one specialisation.
struct KernelSpec {
  static constexpr int kDTypes = 4;
  static constexpr int kConstants = 12;
  static constexpr std::uint8_t kNoDType = 0xff;

  std::uint64_t text = 0;  ///< text_id of the kernel's name
  std::uint8_t dtypes[kDTypes] = {kNoDType, kNoDType, kNoDType, kNoDType};
  std::uint32_t assume = 0;  ///< bits the kernel may rely on (alignment, divisibility); 0 = none
  std::int32_t constants[kConstants] = {};

  constexpr KernelSpec() = default;
  /// `name` is the kernel's name; dtypes and constants are in the order that its definition
  /// documents.
  constexpr KernelSpec(std::string_view name, std::initializer_list<DType> types,
                       std::initializer_list<int> values = {})
      : text(text_id(name)) {
    int i = 0;
    for (const DType t : types) dtypes[i++] = static_cast<std::uint8_t>(t);
    i = 0;
    for (const int v : values) constants[i++] = v;
  }

  friend bool operator==(const KernelSpec& a, const KernelSpec& b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
};
static_assert(sizeof(KernelSpec) == 64);

/// Formats a KernelSpec for messages: "gemm<f32, f32>(0, 1)". `name` is the name that the KernelSpec was made
/// with.
[[nodiscard]] std::string to_string(const KernelSpec& spec, std::string_view name);

struct KernelSpecHash {
  std::size_t operator()(const KernelSpec& spec) const noexcept;
};

/// A kernel's name and one specialisation of it.
struct KernelRef {
  std::string name = "";
  KernelSpec spec = {};
  KernelRef() = default;
  KernelRef(std::string kernel, const KernelSpec& how) : name(std::move(kernel)), spec(how) {}
};

}  // namespace eflow::jit

EFLOW_EXPORT_END
