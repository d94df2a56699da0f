#include "eflow/jit/options.hpp"

#include <charconv>
#include <cstdlib>

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

/// The variable's value, if set and not empty.
std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::optional<std::string>(value) : std::nullopt;
}

void read(const char* name, std::string& out) {
  if (std::optional<std::string> value = variable(name)) out = *std::move(value);
}
void read(const char* name, std::filesystem::path& out) {
  if (const std::optional<std::string> value = variable(name)) out = *value;
}

std::optional<int> number(const char* name, const char* unit) {
  const std::optional<std::string> text = variable(name);
  if (!text) return std::nullopt;
  int value = 0;
  const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (code != std::errc() || end != text->data() + text->size() || value < 0) {
    throw InvalidArgument(
        str("[jit] ", name, "=", *text, " is not a non-negative number of ", unit));
  }
  return value;
}

JitMode read_mode() {
  const std::string text = variable("EFLOW_JIT").value_or("on");
  if (text == "on") return JitMode::kOn;
  if (text == "forbid") return JitMode::kForbid;
  if (text == "off") return JitMode::kOff;
  throw InvalidArgument(str("[jit] EFLOW_JIT=", text, " is unknown; expected on, forbid or off"));
}

TuneMode read_tune() {
  const std::string text = variable("EFLOW_TUNE").value_or("lookup");
  if (text == "lookup") return TuneMode::kLookup;
  if (text == "off") return TuneMode::kOff;
  throw InvalidArgument(str("[jit] EFLOW_TUNE=", text, " is unknown; expected off or lookup"));
}

/// Whether to emulate.
bool read_backend() {
  const std::string text = variable("EFLOW_BACKEND").value_or("native");
  if (text == "native") return false;
  if (text == "emulated") return true;
  throw InvalidArgument(
      str("[jit] EFLOW_BACKEND=", text, " is unknown; expected native or emulated"));
}

void read(const char* name, bool& out) {
  const std::string text = variable(name).value_or(out ? "on" : "off");
  out = text == "on";
  if (!out && text != "off")
    throw InvalidArgument(str("[jit] ", name, "=", text, " is unknown; expected on or off"));
}

std::vector<std::filesystem::path> read_list(const char* name) {
  std::vector<std::filesystem::path> out;
  const std::string text = variable(name).value_or("");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(':', at), text.size());
    if (end > at) out.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

CacheChoice read_cache(const std::filesystem::path& temporary) {
  CacheChoice choice{
      .named = std::nullopt, .xdg_cache_home = "", .home = "", .temporary = temporary};
  // An empty EFLOW_CACHE_DIR disables the disk cache, so it differs from an unset one.
  if (const char* named = std::getenv("EFLOW_CACHE_DIR")) choice.named = named;
  read("XDG_CACHE_HOME", choice.xdg_cache_home);
  read("HOME", choice.home);
  return choice;
}

}  // namespace

Options Options::from_environment() {
  Options options;
  read("EFLOW_DEVICE", options.device);
  if (const std::optional<std::string> isa = variable("EFLOW_ISA")) {
    options.isa = isa_from_name(*isa);
    if (!options.isa) {
      throw InvalidArgument(
          str("[jit] EFLOW_ISA=", *isa,
              " is unknown; expected baseline, avx2, avx512, avx512_bf16 or amx"));
    }
  }
  options.threads = number("EFLOW_THREADS", "threads").value_or(0);
  options.mode = read_mode();
  options.tune = read_tune();
  read("TMPDIR", options.temporary);
  options.cache = read_cache(options.temporary);
  if (const auto megabytes = number("EFLOW_CACHE_MAX_MB", "MB")) {
    options.cache_max_bytes = static_cast<std::uint64_t>(*megabytes) << 20;
  }
  options.packs = read_list("EFLOW_PACKS");
  read("EFLOW_CXX", options.cxx);
  if (const char* path = std::getenv("PATH")) options.search_path = path;
  read("EFLOW_CUDA_DRIVER", options.cuda_library);
  read("EFLOW_NVRTC", options.nvrtc);
  read("EFLOW_CUBLASLT", options.cublas_library);
  read("EFLOW_NCCL", options.nccl_library);
  read("EFLOW_TF32", options.tf32);
  read("EFLOW_GRAPHS", options.graphs);
  options.emulate = read_backend();
  read("EFLOW_CHECK", options.check);
  read("EFLOW_KERNEL_DIR", options.kernel_dir);
  read("EFLOW_DUMP_DIR", options.dump_dir);
  return options;
}

}  // namespace eflow::jit
