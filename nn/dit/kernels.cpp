#include "eflow/nn/dit/kernels.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/nn/attention/glga.hpp"

namespace eflow::nn {
namespace {

constexpr int kKeptPercent = 25;  // the drop ratio of the paper's runs

void add_new(std::vector<jit::KernelRef>& to, const std::vector<jit::KernelRef>& kernels) {
  for (const jit::KernelRef& kernel : kernels) {
    const bool known = std::any_of(to.begin(), to.end(),
                                   [&](const jit::KernelRef& k) { return k.spec == kernel.spec; });
    if (!known) to.push_back(kernel);
  }
}

/// One distinct attention call of a network.
struct AttentionCall {
  GlgaSignature signature;
  GlgaOptions options;
};

std::vector<AttentionCall> calls_of(const DiTConfig& config, const KernelNeeds& needs) {
  std::vector<AttentionCall> out;
  const std::int64_t tokens = config.grid().count();
  GlgaSignature signature{.backend = needs.backend,
                          .dtype = needs.dtype,
                          .head = config.dim / config.heads,
                          .gates = GlgaGateKind::kNone,
                          .queries = tokens};
  const auto add = [&](std::int64_t block, int kept_percent) {
    const AttentionOptions options = config.attention_options(block);
    const bool softmax = options.kind == AttentionKind::kSoftmax;
    if (!softmax && !is_glga(options.kind)) return;
    AttentionCall call{signature, softmax ? softmax_options() : glga_options(options)};
    call.options.kept_percent = kept_percent;
    if (!softmax) call.signature.gates = glga_gate_kind(options);
    call.signature.kept = !softmax && options.index == WindowIndex::kOriginal && kept_percent < 100;
    call.signature.queries = std::max<std::int64_t>(1, tokens * kept_percent / 100);
    out.push_back(call);
  };
  for (std::int64_t i = 0; i < config.blocks(); ++i) add(i, 100);
  for (std::int64_t i = 0; i < config.middle && needs.kept_percent > 0; ++i)
    add(config.encoder + i, needs.kept_percent);
  if (config.context_dim > 0) out.push_back({signature, softmax_options()});
  return out;
}

/// One table of the page.
std::string table_of(jit::Backend backend) {
  std::string out = str("\n## On a ", backend == jit::Backend::kHost ? "CPU" : "GPU",
                        "\n\n| model | dtype | d | radius | tokens | kernels |\n"
                        "| --- | --- | --- | --- | --- | --- |\n");
  for (const DefaultKernels& line : default_specialisations(backend)) {
    out +=
        str("| ", line.model, " | ", line.needs.dtype, " | ", line.head, " | ", line.radius, " | ",
            line.needs.kept_percent == 0 ? std::string("all")
                                         : str("all and ", line.needs.kept_percent, " %"),
            " | ");
    for (const jit::KernelRef& kernel : line.kernels)
      out += str(&kernel == line.kernels.data() ? "`" : "<br>`",
                 to_string(kernel.spec, kernel.name), "`");
    out += " |\n";
  }
  return out;
}

}  // namespace

std::vector<jit::KernelRef> kernels_of(const DiTConfig& config, const KernelNeeds& needs) {
  std::vector<jit::KernelRef> out;
  for (const AttentionCall& call : calls_of(config, needs))
    add_new(out, glga_kernels(call.signature, call.options, needs.gradients));
  return out;
}

std::vector<jit::TuningJob> tuning_jobs(const DiTConfig& config, const KernelNeeds& needs) {
  std::vector<jit::TuningJob> out;
  for (const AttentionCall& call : calls_of(config, needs)) {
    const std::vector<std::int64_t> sizes{call.signature.queries, config.heads,
                                          call.options.radius};
    for (const jit::KernelRef& kernel :
         glga_kernels(call.signature, call.options, needs.gradients)) {
      const bool known = std::any_of(out.begin(), out.end(), [&](const jit::TuningJob& job) {
        return job.kernel.spec == kernel.spec && job.sizes == sizes;
      });
      // The join kernel uses the tiles of the band kernel and is tuned with it.
      if (!known && kernel.name != "glga_join_grad") out.push_back({kernel, sizes});
    }
  }
  return out;
}

std::vector<DefaultKernels> default_specialisations(jit::Backend backend) {
  std::vector<DefaultKernels> out;
  const auto add = [&](const std::string& model, const DiTConfig& config, DType dtype) {
    const KernelNeeds needs{.backend = backend, .dtype = dtype, .kept_percent = kKeptPercent};
    out.push_back({model, config.dim / config.heads, config.window_radius(), needs,
                   kernels_of(config, needs)});
  };
  for (const std::string& name : preset_names()) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      const bool listed = backend == jit::Backend::kHost
                              ? is_cpu_preset(name) && dtype == DType::kF32
                              : is_cpu_preset(name) || dtype == DType::kBF16;
      if (listed) add(name, preset(name), dtype);
    }
  }
  if (backend == jit::Backend::kHost) return out;
  for (const auto& [name, head] : {std::pair("XL", 192), std::pair("1.5B", 256)}) {
    DiTConfig config = preset(name);
    config.heads = static_cast<int>(config.dim / head);
    add(str(name, " with ", config.heads, " heads"), config, DType::kBF16);
  }
  return out;
}

std::vector<jit::KernelRef> default_kernels(jit::Backend backend) {
  std::vector<jit::KernelRef> out;
  for (const DefaultKernels& line : default_specialisations(backend)) add_new(out, line.kernels);
  return out;
}

std::string specialisations_page() {
  return str(
      "# Default specialisations\n\n"
      "Made by `eflow inspect --specialisations`.\n\n"
      "The kernels that the named model sizes request from the JIT, forward and backward, "
      "dense and with 75 % of the tokens\n"
      "dropped in the middle blocks. `eflow jit prepare --list default --arch A` compiles "
      "all of them; `scripts/check_cubins.sh`\n"
      "does so for every GPU architecture and fails if a kernel spills registers. Constants: "
      "d, softmax branch (0 none, 1 window,\n"
      "2 all keys), linear branch, gates (0 none, 1 per row, 2 per channel), norms, window "
      "radius (-1: an argument), percentage of\n"
      "tokens kept (0: all), queries and keys per tile; for `glga_state`: d and tokens per "
      "tile. Kernels of other texts are built in.\n",
      table_of(jit::Backend::kHost), table_of(jit::Backend::kCuda));
}

}  // namespace eflow::nn
