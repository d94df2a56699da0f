#include "eflow/core/attention/glga_samples.hpp"

#include "eflow/core/attention/glga.hpp"

namespace eflow::detail {
namespace {

/// Inputs: q, k, v, gates, both norm weights. positions: values of options.positions, a tensor that
/// must be on the device of the inputs.
Sample sample(std::string label, const Shape& q, std::int64_t keys, const Shape& gates,
              const GlgaOptions& options, const std::vector<std::int64_t>& positions = {}) {
  const Shape k{q[0], keys, q[2], q[3]};
  const Shape weight{q[2] * q[3]};
  const auto options_on = [options, positions](const Tensor& x) {
    GlgaOptions out = options;
    if (!positions.empty())
      out.positions = Tensor::from(positions, {x.size(0), x.size(1)}, x.device());
    return out;
  };
  return {std::move(label),
          {{q}, {k}, {k}, {gates}, {weight, 0.5, 1.5}, {weight, 0.5, 1.5}},
          [options_on](const Tensors& x) {
            const GlgaOptions now = options_on(x[0]);
            prepare_glga(x[0], x[3], now, true);
            return Tensors{glga(x[0], x[1], x[2], x[3], x[4], x[5], now)};
          },
          [options_on](const Tensors& x) {
            return Tensors{glga_composition(x[0], x[1], x[2], x[3], x[4], x[5], options_on(x[0]))};
          }};
}

}  // namespace

std::vector<Sample> glga_samples() {
  // eps is large so that an error in its gradient terms is visible.
  return {
      sample("kept tokens, a gate a channel", {2, 7, 2, 8}, 7, {2, 7, 2, 2, 8},
             {.eps = 1e-2, .radius = 4}, {0, 2, 3, 7, 8, 15, 16, 1, 4, 5, 9, 11, 12, 30}),
      sample("cross, a gate a head", {2, 5, 2, 8}, 9, {2, 5, 2, 2, 1},
             {.local = GlgaOptions::Local::kFull, .eps = 1e-2}),
  };
}

}  // namespace eflow::detail
