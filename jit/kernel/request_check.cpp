#include "eflow/jit/kernel/request_check.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/include_scan.hpp"

namespace eflow::jit {
namespace {

/// Options that are allowed as they are.
constexpr std::string_view kHostOptions[] = {"-shared",
                                             "-fPIC",
                                             "-fvisibility=hidden",
                                             "-nostdinc",
                                             "-nostdinc++",
                                             "-w",
                                             "-fno-math-errno",
                                             "-fno-trapping-math",
                                             "-O0",
                                             "-O1",
                                             "-O2",
                                             "-O3",
                                             "-g",
                                             "-fno-exceptions",
                                             "-fno-rtti",
                                             "-fopenmp-simd",
                                             "-fsanitize=kernel-address",
                                             "--param=asan-instrumentation-with-call-threshold=0",
                                             "--param=asan-globals=0",
                                             "--param=asan-stack=0",
                                             "-fsanitize=bounds,shift,signed-integer-overflow,"
                                             "integer-divide-by-zero,null",
                                             "-fno-sanitize-recover=undefined",
                                             "-nodefaultlibs",
                                             "-Wl,-Bsymbolic"};
constexpr std::string_view kCudaOptions[] = {"--device-as-default-execution-space",
                                             "--no-source-include", "--ptxas-options=-v",
                                             "--no-cache"};
/// Beginnings that a word of letters, digits, '.', '_', '+' and '-' may follow.
constexpr std::string_view kHostBeginnings[] = {
    "-std=", "-ffp-contract=", "-march=", "-mtune=", "-mcpu=", "-mprefer-vector-width="};
constexpr std::string_view kCudaBeginnings[] = {"--gpu-architecture=", "--std="};

bool is_word(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '+' || c == '-';
  });
}

bool is_in(const auto& table, std::string_view option) {
  return std::find(std::begin(table), std::end(table), option) != std::end(table);
}

bool begins_as_in(const auto& table, std::string_view option) {
  return std::any_of(std::begin(table), std::end(table), [&](std::string_view beginning) {
    return option.starts_with(beginning) && is_word(option.substr(beginning.size()));
  });
}

/// -mavx512f, -mno-fma: the name of an instruction set without a value. Not -mllvm, which takes the
/// next word.
bool is_instruction_set(std::string_view option) {
  return option.starts_with("-m") && option.size() > 2 && option != "-mllvm" &&
         std::all_of(option.begin() + 2, option.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
         });
}

/// -Wextra, -Wno-psabi, -Wframe-larger-than=2097152. Not -Wl, -Wa, and -Wp, which hand words on to
/// other programs after a comma.
bool is_warning(std::string_view option) {
  return option.starts_with("-W") && option.size() > 2 &&
         std::all_of(option.begin() + 2, option.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '=';
         });
}

}  // namespace

bool is_known_option(Backend backend, const std::string& option) {
  if (backend == Backend::kCuda)
    return is_in(kCudaOptions, option) || begins_as_in(kCudaBeginnings, option);
  return is_in(kHostOptions, option) || option.starts_with(kSourcesOption) ||
         begins_as_in(kHostBeginnings, option) || is_instruction_set(option) || is_warning(option);
}

void check_command(const BuildRequest& request) {
  for (const std::string& option : request.options) {
    if (is_known_option(request.target.backend, option)) continue;
    throw InvalidArgument(
        str("[jit] ", request.title(), ": eflow never passes the option \"", option,
            "\" to a compiler, and it could run or write what the author of the file chose; ask "
            "for a request.bin that `eflow jit repro` wrote"));
  }
  for (const TextFile& file : request.texts->files) {
    if (is_text_path(file.path)) continue;
    throw InvalidArgument(str("[jit] ", request.title(), ": \"", file.path,
                              "\" is not a path of a kernel text; expected a relative path without "
                              "..; ask for a request.bin that `eflow jit repro` wrote"));
  }
}

void check_foreign(const BuildRequest& request) {
  check_command(request);
  for (const TextFile& file : request.texts->files)
    static_cast<void>(scan_includes(file.path, file.text));
  static_cast<void>(scan_includes("program", request.program));
}

}  // namespace eflow::jit
