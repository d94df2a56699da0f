#include "eflow/jit/spec.hpp"

#include "eflow/base/error.hpp"

namespace eflow::jit {

std::string to_string(const Spec& spec, std::string_view name) {
  std::string out(name);
  out += '<';
  for (int i = 0; i < Spec::kDTypes && spec.dtypes[i] != Spec::kNoDType; ++i) {
    if (i) out += ", ";
    out += name_of(static_cast<DType>(spec.dtypes[i]));
  }
  out += ">(";
  int used = Spec::kConstants;
  while (used > 0 && spec.constants[used - 1] == 0) --used;
  for (int i = 0; i < used; ++i) out += str(i ? ", " : "", spec.constants[i]);
  return out + ')';
}

std::size_t SpecHash::operator()(const Spec& spec) const noexcept {
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
