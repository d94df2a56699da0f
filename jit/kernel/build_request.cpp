#include "eflow/jit/kernel/build_request.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/canonical.hpp"

namespace eflow::jit {
namespace {

constexpr std::string_view kMagic = "eflow build request";

void write_spec(ByteWriter& out, const KernelSpec& spec) {
  out.u64(spec.text);
  for (const std::uint8_t t : spec.dtypes) out.u64(t);
  out.u64(spec.assume);
  for (const std::int32_t c : spec.constants) out.u64(static_cast<std::uint32_t>(c));
}

/// nullopt if a dtype is none of ours.
std::optional<KernelSpec> read_spec(ByteReader& in) {
  KernelSpec spec;
  spec.text = in.u64();
  for (std::uint8_t& t : spec.dtypes) {
    const std::uint64_t dtype = in.u64();
    if (dtype >= std::uint64_t{kDTypeCount} && dtype != KernelSpec::kNoDType) return std::nullopt;
    t = static_cast<std::uint8_t>(dtype);
  }
  spec.assume = static_cast<std::uint32_t>(in.u64());
  for (std::int32_t& c : spec.constants) c = static_cast<std::int32_t>(in.u64());
  return spec;
}

}  // namespace

Key key_of(std::string_view bytes) {
  const auto view = std::as_bytes(std::span(bytes));
  return {{hash128(view, 0x65666c6f77ull), hash128(view, 0x6a6974ull)}};
}

std::string to_hex(const Key& key) {
  return eflow::to_hex(key.half[0]) + eflow::to_hex(key.half[1]);
}

std::optional<Key> key_from_hex(std::string_view text) {
  if (text.size() != 64) return std::nullopt;
  const auto first = hash128_from_hex(text.substr(0, 32)),
             second = hash128_from_hex(text.substr(32));
  if (!first || !second) return std::nullopt;
  return Key{{*first, *second}};
}

std::string BuildRequest::portable_bytes() const {
  ByteWriter out;
  out.string(kMagic).u64(kSchema).string(name);
  write_spec(out, spec);
  out.u64(static_cast<std::uint64_t>(target.backend)).string(target.arch).string(program);
  out.string(texts->root).u64(texts->files.size());
  for (const TextFile& file : texts->files) out.string(file.path).string(file.text);
  return out.take();
}

std::string BuildRequest::canonical_bytes() const {
  ByteWriter out;
  out.raw(portable_bytes()).string(toolchain).u64(options.size());
  for (const std::string& option : options) out.string(option);
  return out.take();
}

std::optional<BuildRequest> BuildRequest::decode(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.string() != kMagic || in.u64() != kSchema) return std::nullopt;
  BuildRequest out;
  out.name = in.string();
  const std::optional<KernelSpec> spec = read_spec(in);
  if (!spec) return std::nullopt;
  out.spec = *spec;
  const std::uint64_t backend = in.u64();
  if (backend > static_cast<std::uint64_t>(Backend::kCuda)) return std::nullopt;
  out.target.backend = static_cast<Backend>(backend);
  out.target.arch = in.string();
  out.program = in.string();
  auto texts = std::make_shared<TextClosure>();
  texts->root = in.string();
  for (std::uint64_t i = in.u64(); i > 0 && in.ok(); --i) {
    const std::string_view path = in.string();
    texts->files.push_back({std::string(path), std::string(in.string())});
  }
  out.toolchain = in.string();
  for (std::uint64_t i = in.u64(); i > 0 && in.ok(); --i) out.options.emplace_back(in.string());
  if (!in.done()) return std::nullopt;
  out.texts = std::move(texts);
  return out;
}

std::string BuildRequest::title() const {
  return str(to_string(spec, name), " for ", target.arch);
}

std::string make_program(Backend backend, const ProgramParts& p) {
  // Both back ends deduce the types of block and arguments from the function itself. It is called by
  // its name: an address that is kept in a variable would make the compiler translate the function
  // once more by itself.
  const std::string head = str(
      p.checked ? "#define EFLOW_CHECKED 1\n" : "",
      p.emulated
          ? str("#define EFLOW_GPU 1\n#define EFLOW_EMULATED_ARCH 80\n#define EFLOW_THREADS ",
                p.threads, "\n")
          : "",
      "#include \"", kArgumentTypesText, "\"\n", p.prologue, "#include \"", p.text,
      "\"\n#define EFLOW_ENTRY ", p.expression,
      "\nnamespace EFLOW_TEXT {\n"
      "template <class Block, class Args> struct EflowEntry { using B = Block; using A = Args; };\n"
      "template <class Block, class Args>\n"
      "EflowEntry<Block, Args> eflow_types(void (*)(const Block&, const Args&));\n"
      "#line 1 \"",
      p.title, "\"\nusing EflowTypes = decltype(eflow_types(&EFLOW_ENTRY));\n");
  if (backend == Backend::kHost) {
    return str("#define EFLOW_TEXT eflow_text\n", head,
               "#define EFLOW_EXPORT extern \"C\" __attribute__((visibility(\"default\")))\n"
               "EFLOW_EXPORT const unsigned long long eflow_args_bytes = sizeof(EflowTypes::A);\n"
               "EFLOW_EXPORT const ArgumentTypes eflow_argument_types =\n"
               "    argument_types<EflowTypes::A>();\n"
               "EFLOW_EXPORT void eflow_run(const void* block, const void* args) {\n"
               "#if defined(EFLOW_ENTER_BLOCK)\n"
               "  EFLOW_ENTER_BLOCK\n"
               "#endif\n"
               "  EFLOW_ENTRY(*static_cast<const EflowTypes::B*>(block),\n"
               "              *static_cast<const EflowTypes::A*>(args));\n"
               "}\n}\n");
  }
  // The minimum of one block per multiprocessor keeps ptxas from spilling to reach a higher
  // occupancy of its own choice.
  return str("#define EFLOW_TEXT eflow_text\n#define EFLOW_THREADS ", p.threads, "\n", head,
             "extern \"C\" __device__ ArgumentTypes eflow_argument_types =\n"
             "    argument_types<EflowTypes::A>();\n"
             "extern \"C\" __global__ void __launch_bounds__(",
             p.threads,
             ", 1) eflow_kernel(const __grid_constant__ EflowTypes::A args) {\n"
             "  extern __shared__ __align__(128) char scratch[];\n"
             "  const EflowTypes::B block{blockIdx.x, blockIdx.y, blockIdx.z, gridDim.x, "
             "gridDim.y, gridDim.z, scratch};\n"
             "  EFLOW_ENTRY(block, args);\n"
             "}\n}\n");
}

}  // namespace eflow::jit
