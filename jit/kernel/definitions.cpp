#include "eflow/jit/kernel/definitions.hpp"

#include <charconv>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/builtin.hpp"

namespace eflow::jit {
namespace {

/// A dtype's name in kernel texts.
std::string_view cpp_name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "float";
    case DType::kF64:
      return "double";
    case DType::kBF16:
      return "bf16";
    case DType::kI32:
      return "i32";
    case DType::kI64:
      return "i64";
    case DType::kU8:
      return "u8";
  }
  return "?";
}

bool is_kernel_name(std::string_view name) {
  if (name.empty() || name.size() > 100) return false;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && (c < '0' || c > '9') && c != '_' && c != '/' && c != '.') return false;
  }
  return true;
}

/// Resolves the placeholder at the beginning of `pattern`, "$t0" or "$c11"; `used` receives its
/// length.
std::string substitute(std::string_view pattern, const KernelRef& kernel, std::size_t& used) {
  int index = 0;
  const char kind = pattern.size() > 2 ? pattern[1] : '\0';
  const auto [end, code] =
      std::from_chars(pattern.data() + 2, pattern.data() + pattern.size(), index);
  used = static_cast<std::size_t>(end - pattern.data());
  if (code == std::errc() && kind == 'c' && index < KernelSpec::kConstants)
    return str(kernel.spec.constants[index]);
  if (code == std::errc() && kind == 't' && index < KernelSpec::kDTypes) {
    if (kernel.spec.dtypes[index] == KernelSpec::kNoDType) {
      throw CompileError(str("[jit] ", to_string(kernel.spec, kernel.name), " has no dtype ", index,
                             ", which its kernel's expression uses"));
    }
    return std::string(cpp_name(static_cast<DType>(kernel.spec.dtypes[index])));
  }
  throw CompileError(str("[jit] the expression of ", kernel.name, " has \"", pattern.substr(0, 4),
                         "\"; expected $t0..$t3 or $c0..$c11"));
}

std::string expand(std::string_view pattern, const KernelRef& kernel) {
  std::string out;
  for (std::size_t at = 0; at < pattern.size();) {
    std::size_t used = 1;
    out += pattern[at] == '$' ? substitute(pattern.substr(at), kernel, used)
                              : std::string(1, pattern[at]);
    at += used;
  }
  return out;
}

/// The line that switches a unit on or off; empty if the definition does not name it.
std::string define_unit(std::string_view macro, std::string_view field, const std::string& pattern,
                        const KernelRef& kernel) {
  if (pattern.empty()) return "";
  const std::string value = expand(pattern, kernel);
  if (value != "0" && value != "1") {
    throw CompileError(str("[jit] ", to_string(kernel.spec, kernel.name), ": KernelDefinition::",
                           field, ", \"", pattern, "\", is ", value, "; expected 0 or 1"));
  }
  return str("#define ", macro, " ", value, "\n");
}

const BuiltinIndex& all_builtin() {
  static const BuiltinIndex index = builtin_index(Isa::kBaseline);
  return index;
}

/// Splits "a, b" at commas and trims blanks.
std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> out;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view part = list.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    out.push_back(part);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return out;
}

/// Throws InvalidArgument unless every tunable has a name, a distinct constant and at least one
/// value.
void check_space(const KernelDefinition& d) {
  unsigned taken = 0;
  for (const Tunable& t : d.space.tunables) {
    const bool in_range = t.constant >= 0 && t.constant < KernelSpec::kConstants;
    if (!in_range || (taken >> t.constant & 1u) != 0 || t.values.empty() || t.name.empty()) {
      throw InvalidArgument(str("[jit] kernel ", d.name, ", tunable \"", t.name, "\", constant ",
                                t.constant, ": expected a name, a distinct constant from 0 to ",
                                KernelSpec::kConstants - 1, ", and at least one value"));
    }
    taken |= 1u << t.constant;
  }
}

[[noreturn]] void malformed(std::string_view text, std::string_view why) {
  throw InvalidArgument(str("[jit] \"", text, "\": ", why,
                            "; expected name<dtypes>(constants), for example ",
                            "gemm<f32, f32>() or reduce<bf16, f32>(1)"));
}

}  // namespace

void KernelDefinitions::add(const KernelDefinition& d) {
  if (!is_kernel_name(d.name) || d.threads < 32 || d.threads > 1024 || d.threads % 32 != 0) {
    throw InvalidArgument(str("[jit] kernel \"", d.name, "\" with ", d.threads,
                              " threads: expected a name of letters, digits, ",
                              "_, . and /, and 32 to 1024 threads per block in steps of 32"));
  }
  check_space(d);
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = added_.try_emplace(d.name, d);
  KernelDefinition& known = at->second;
  if (!fresh && (known.text != d.text || known.expression != d.expression ||
                 known.threads != d.threads || known.prologue != d.prologue ||
                 known.warpgroups != d.warpgroups || known.bulk_copies != d.bulk_copies)) {
    throw InvalidArgument(str("[jit] there already is a kernel ", d.name, ", ", known.expression,
                              " of ", known.text));
  }
  if (known.space.empty()) known.space = d.space;  // the config space may be added later
  if (!known.shared_bytes) known.shared_bytes = d.shared_bytes;
}

KernelSource KernelDefinitions::source(const KernelRef& kernel) const {
  if (const auto entry = all_builtin().find(kernel.spec); entry != all_builtin().end()) {
    return {entry->second->file, entry->second->expression, 256, entry->second->shared_bytes};
  }
  const std::lock_guard lock(mutex_);
  const auto added = added_.find(kernel.name);
  if (added == added_.end()) {
    throw CompileError(str("[jit] no kernel is called ", kernel.name, " with specialisation ",
                           to_string(kernel.spec, kernel.name),
                           "; define it with Runtime::define"));
  }
  const KernelDefinition& d = added->second;
  return {d.text, expand(d.expression, kernel), d.threads,
          d.shared_bytes ? d.shared_bytes(kernel.spec) : 0,
          define_unit("EFLOW_WARPGROUPS", "warpgroups", d.warpgroups, kernel) +
              define_unit("EFLOW_BULK_COPIES", "bulk_copies", d.bulk_copies, kernel) +
              expand(d.prologue, kernel)};
}

std::vector<KernelDefinition> KernelDefinitions::added() const {
  const std::lock_guard lock(mutex_);
  std::vector<KernelDefinition> out;
  for (const auto& [name, definition] : added_) out.push_back(definition);
  return out;
}

ConfigSpace KernelDefinitions::space(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto added = added_.find(name);
  return added == added_.end() ? ConfigSpace() : added->second.space;
}

KernelRef parse_kernel(std::string_view text) {
  const std::size_t name_end = std::min(text.find_first_of("<("), text.size());
  const std::string_view name = text.substr(0, name_end);
  if (!is_kernel_name(name)) malformed(text, "it has no name");
  KernelRef out{std::string(name), KernelSpec(name, {})};
  std::string_view rest = text.substr(name_end);
  if (rest.starts_with('<')) {
    const std::size_t end = rest.find('>');
    if (end == std::string_view::npos) malformed(text, "> is missing");
    const auto names = split(rest.substr(1, end - 1));
    if (names.size() > KernelSpec::kDTypes) malformed(text, "a Spec has at most 4 dtypes");
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::optional<DType> dtype = dtype_from_name(names[i]);
      if (!dtype) malformed(text, str(names[i], " is not a dtype"));
      out.spec.dtypes[i] = static_cast<std::uint8_t>(*dtype);
    }
    rest.remove_prefix(end + 1);
  }
  if (rest.empty()) return out;
  if (!rest.starts_with('(') || !rest.ends_with(')')) malformed(text, "( ) is missing");
  const auto values = split(rest.substr(1, rest.size() - 2));
  if (values.size() > KernelSpec::kConstants) malformed(text, "a Spec has at most 12 constants");
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto [end, code] = std::from_chars(values[i].data(), values[i].data() + values[i].size(),
                                             out.spec.constants[i]);
    if (code != std::errc() || end != values[i].data() + values[i].size())
      malformed(text, str(values[i], " is not a number"));
  }
  return out;
}

}  // namespace eflow::jit
