#include "eflow/trainer/program/jit/text_kernel.hpp"

#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/builtin.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;
using Values = std::map<std::string, std::int64_t, std::less<>>;

/// An expression of integers, read from left to right.
class Expression {
 public:
  Expression(std::string_view text, const Values& values)
      : all_(text), rest_(text), values_(values) {}
  std::int64_t value() {
    const std::int64_t out = sum();
    if (next() != '\0') fail("unexpected text");
    return out;
  }

 private:
  [[noreturn]] void fail(std::string_view what) {
    std::string names;
    for (const auto& [name, value] : values_) names += (names.empty() ? "" : ", ") + name;
    throw InvalidArgument(str("\"", all_, "\": ", what, " at \"", rest_,
                              "\"; expected an expression of + - * / ( ), integers and ", names));
  }
  char next() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
    return rest_.empty() ? '\0' : rest_.front();
  }
  bool take(char c) {
    if (next() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::int64_t sum() {
    for (std::int64_t out = product();;) {
      if (take('+'))
        out += product();
      else if (take('-'))
        out -= product();
      else
        return out;
    }
  }
  std::int64_t product() {
    for (std::int64_t out = factor();;) {
      if (take('*')) {
        out *= factor();
      } else if (take('/')) {
        const std::int64_t by = factor();
        if (by == 0) fail("division by zero");
        out /= by;
      } else {
        return out;
      }
    }
  }
  std::int64_t factor() {
    if (take('(')) {
      const std::int64_t out = sum();
      if (!take(')')) fail(") is missing");
      return out;
    }
    next();
    std::int64_t number = 0;
    const auto [end, code] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (code == std::errc()) {
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      return number;
    }
    const std::size_t length = std::min(rest_.find_first_of(" +-*/()"), rest_.size());
    const auto known = values_.find(rest_.substr(0, length));
    if (length == 0 || known == values_.end()) fail("no such name");
    rest_.remove_prefix(length);
    return known->second;
  }

  std::string_view all_, rest_;
  const Values& values_;
};

std::vector<std::string> split(std::string_view list, char at) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(at), list.size());
    std::string_view part = list.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    out.emplace_back(part);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return out;
}

/// One field of the argument struct: an array, or an integer (no dtype).
struct Field {
  bool output = false;
  std::optional<DType> dtype = {};
  std::string value = "";  ///< expression: the integer, or the array's elements
};

Field parse_field(const std::string& text) {
  const std::size_t colon = text.find(':'), bracket = text.find('[');
  if (colon == text.npos) return {.value = text};
  const std::string dtype = text.substr(colon + 1, std::min(bracket, text.size()) - colon - 1);
  Field out{.output = text.starts_with("out "), .dtype = dtype_from_name(dtype)};
  if (!out.dtype || bracket == text.npos || !text.ends_with(']')) {
    throw InvalidArgument(
        str("--arguments: \"", text,
            "\" is not a field; expected NAME:DTYPE[SIZE], out NAME:DTYPE[SIZE], ",
            "or an integer, with a DTYPE of f32, f64, bf16, i32, i64 or u8"));
  }
  out.value = text.substr(bracket + 1, text.size() - bracket - 2);
  return out;
}

float bf16_value(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// An array on the host.
struct Array {
  DType dtype;
  bool output;
  std::size_t count;
  std::vector<char> bytes;

  /// f(element) of all elements, each a reference to its stored type.
  template <class F>
  void each(F f) {
    const auto visit = [&](auto* p) {
      for (std::size_t i = 0; i < count; ++i) f(p[i]);
    };
    void* const p = bytes.data();
    switch (dtype) {
      case DType::kF32:
        return visit(static_cast<float*>(p));
      case DType::kF64:
        return visit(static_cast<double*>(p));
      case DType::kBF16:
        return visit(static_cast<std::uint16_t*>(p));
      case DType::kI32:
        return visit(static_cast<std::int32_t*>(p));
      case DType::kI64:
        return visit(static_cast<std::int64_t*>(p));
      case DType::kU8:
        return visit(static_cast<std::uint8_t*>(p));
    }
  }
  /// Floats in [-1, 1); integers 0 and 1, which are indices of most arrays.
  void fill(std::uint32_t seed) {
    each([&](auto& x) {
      using T = std::remove_reference_t<decltype(x)>;
      seed = seed * 1664525u + 1013904223u;
      const float unit = static_cast<float>(seed >> 8) / 8388608.0f - 1;
      if constexpr (std::is_floating_point_v<T>)
        x = static_cast<T>(unit);
      else if constexpr (std::is_same_v<T, std::uint16_t>)
        x = static_cast<T>(std::bit_cast<std::uint32_t>(unit) >> 16);
      else
        x = static_cast<T>(seed >> 31);
    });
  }
  void append_to(std::vector<double>& out) {
    each([&](auto& x) {
      if constexpr (std::is_same_v<std::remove_reference_t<decltype(x)>, std::uint16_t>)
        out.push_back(static_cast<double>(bf16_value(x)));
      else
        out.push_back(static_cast<double>(x));
    });
  }
};

/// Arrays, the bytes of the argument struct, and the grid.
struct Operands {
  std::vector<Array> arrays = {};
  std::vector<std::int64_t> fields = {};  ///< a pointer or an integer each
};

Values values_of(const KernelSpec& spec, const std::vector<SizeParameter>& names,
                 const std::vector<std::int64_t>& sizes) {
  Values out;
  for (int i = 0; i < KernelSpec::kConstants; ++i) out[str("$c", i)] = spec.constants[i];
  for (std::size_t i = 0; i < names.size(); ++i) out[names[i].name] = sizes[i];
  return out;
}

std::shared_ptr<Operands> make_operands(const std::vector<Field>& fields, const Values& values) {
  auto out = std::make_shared<Operands>();
  out->arrays.reserve(fields.size());  // their memory must not move
  for (const Field& f : fields) {
    const std::int64_t value = Expression(f.value, values).value();
    if (!f.dtype) {
      out->fields.push_back(value);
      continue;
    }
    if (value < 1)
      throw InvalidArgument(str("--arguments: an array of [", f.value, "] = ", value, " elements"));
    const auto count = static_cast<std::size_t>(value);
    Array& a = out->arrays.emplace_back(
        Array{*f.dtype, f.output, count, std::vector<char>(count * size_of(*f.dtype))});
    a.fill(static_cast<std::uint32_t>(out->arrays.size()));
    out->fields.push_back(
        static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(a.bytes.data())));
  }
  return out;
}

Grid grid_of(const std::string& text, const Values& values) {
  const std::vector<std::string> parts = split(text, ',');
  if (parts.empty() || parts.size() > 3)
    throw InvalidArgument(str("--grid \"", text, "\" has ", parts.size(),
                              " dimensions; expected one to three, as in '(n+1023)/1024'"));
  Grid out;
  std::int64_t* const to[] = {&out.x, &out.y, &out.z};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    *to[i] = Expression(parts[i], values).value();
    if (*to[i] < 1) throw InvalidArgument(str("--grid: ", parts[i], " is ", *to[i], " blocks"));
  }
  return out;
}

/// "c0=64,128;c1=32,64".
ConfigSpace parse_tunables(const std::string& text) {
  ConfigSpace out;
  for (const std::string& part : split(text, ';')) {
    const std::size_t equals = std::min(part.find('='), part.size());
    Tunable t{.name = part.substr(0, equals), .constant = -1, .values = {}};
    const char* const begin = part.data() + std::min<std::size_t>(1, part.size());
    bool right =
        part.starts_with('c') && equals < part.size() &&
        std::from_chars(begin, part.data() + equals, t.constant).ptr == part.data() + equals;
    for (const std::string& word : split(part.substr(std::min(equals + 1, part.size())), ',')) {
      int value = 0;
      const char* const end = word.data() + word.size();
      right = right && std::from_chars(word.data(), end, value).ptr == end;
      t.values.push_back(value);
    }
    if (!right || t.values.empty())
      throw InvalidArgument(str("--tunables: \"", part, "\"; expected c0=64,128 or the like"));
    out.tunables.push_back(std::move(t));
  }
  return out;
}

/// The path by which other texts include the file.
std::string text_path(const fs::path& file) {
  const fs::path normal = file.lexically_normal();
  const bool inside = normal.is_relative() && !normal.string().starts_with("..");
  return (inside ? normal : normal.filename()).string();
}

KernelDefinition definition_of(const CommandLine& line, const KernelRef& kernel) {
  const fs::path file = line.value("text", "");
  const std::string expression = line.value("expression", "");
  if (expression.empty()) {
    throw InvalidArgument(str("--text ", file.string(), " needs --expression, the C++ name of a ",
                              "specialisation, for example '", kernel.name, "<$t0, $c0>'"));
  }
  return {.name = kernel.name,
          .text = text_path(file),
          .expression = expression,
          .threads = static_cast<int>(number_option(line, "threads", 256)),
          .space = parse_tunables(line.value("tunables", "")),
          .shared_bytes = {},
          .prologue = ""};
}

/// The sizes that the line gives, with their values as defaults.
std::vector<SizeParameter> sizes_of(const CommandLine& line) {
  std::vector<SizeParameter> out;
  for (const std::string& part : split(line.value("sizes", ""), ','))
    out.push_back({part.substr(0, part.find('=')), 1});
  return out;
}

}  // namespace

bool has_text(const CommandLine& line) {
  if (!line.value("text", "").empty()) return true;
  line.refuse(kTextOptions, "without --text");
  line.refuse(kOperandOptions, "without --text");
  return false;
}

void define_text(const CommandLine& line, const KernelRef& kernel, KernelBuilder& builder) {
  const KernelDefinition definition = definition_of(line, kernel);
  for (const auto& [spec, entry] : builtin_index(Isa::kBaseline)) {
    if (entry->text == kernel.name)
      throw InvalidArgument(str("'", kernel.name, "' is the name of a built-in kernel (",
                                entry->file, "); choose another name for --text"));
  }
  builder.texts().add(definition.text, read_file(line.value("text", "")));
  builder.definitions().add(definition);
}

TunableKernel text_kernel(const CommandLine& line, const KernelRef& kernel) {
  std::vector<Field> fields;
  bool has_output = false;
  for (const std::string& text : split(line.value("arguments", ""), ',')) {
    fields.push_back(parse_field(text));
    has_output = has_output || fields.back().output;
  }
  const std::string grid = line.value("grid", "");
  if (!has_output || grid.empty()) {
    throw InvalidArgument(
        "--text needs --arguments with an output, 'x:f32[n], out y:f32[n], n', and --grid, "
        "'(n+1023)/1024'");
  }
  TunableKernel out{.definition = definition_of(line, kernel), .sizes = sizes_of(line)};
  out.workload = [=, definition = out.definition, names = out.sizes](
                     Runtime& runtime, const KernelSpec& spec,
                     const std::vector<std::int64_t>& sizes) {
    if (runtime.target().backend == Backend::kCuda)
      throw InvalidArgument("the arrays of --arguments are in the CPU's memory; use --device cpu");
    const auto operands = make_operands(fields, values_of(spec, names, sizes));
    if (runtime.options().check || runtime.options().emulate) {
      for (const Array& a : operands->arrays) runtime.allow_memory(a.bytes.data(), a.bytes.size());
    }
    Workload w;
    w.shape = ShapeBucket(std::span(sizes).first(std::min<std::size_t>(sizes.size(), 8)));
    w.launch = [&runtime, operands, grid, names, sizes, definition](const KernelSpec& s) {
      runtime.launch_bytes(definition.name, s, grid_of(grid, values_of(s, names, sizes)),
                           operands->fields.data(), operands->fields.size() * 8, {});
    };
    w.clear = [operands] {
      for (Array& a : operands->arrays)
        if (a.output) std::memset(a.bytes.data(), 0xff, a.bytes.size());
    };
    w.result = [operands] {
      std::vector<double> all;
      for (Array& a : operands->arrays)
        if (a.output) a.append_to(all);
      return all;
    };
    // Configurations round differently where they sum in another order.
    w.tolerance = 1e-2;
    return w;
  };
  return out;
}

}  // namespace eflow::jit
