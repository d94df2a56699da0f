#include "eflow/jit/kernel/spec.hpp"

#include "eflow/core/base/error.hpp"

namespace eflow::jit {

std::string to_string(const KernelSpec& spec, std::string_view name) {
  std::string out(name);
  out += '<';
  for (int i = 0; i < KernelSpec::kDTypes && spec.dtypes[i] != KernelSpec::kNoDType; ++i) {
    if (i) out += ", ";
    out += name_of(static_cast<DType>(spec.dtypes[i]));
  }
  out += ">(";
  int used = KernelSpec::kConstants;
  while (used > 0 && spec.constants[used - 1] == 0) --used;
  for (int i = 0; i < used; ++i) out += str(i ? ", " : "", spec.constants[i]);
  return out + ')';
}

std::size_t KernelSpecHash::operator()(const KernelSpec& spec) const noexcept {
  std::uint64_t words[8];
  std::memcpy(words, &spec, sizeof words);
  std::uint64_t h = 0;
  for (const std::uint64_t w : words) {
    h = (h ^ w) * 0x9e3779b97f4a7c15ull;
    h ^= h >> 32;
  }
  return static_cast<std::size_t>(h);
}

}  // namespace eflow::jit
