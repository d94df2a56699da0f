// The matrix products that a network delegates to cuBLASLt.
#define BOOST_TEST_MODULE dit_products
#include "eflow/nn/dit/products.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <set>

#include "eflow/nn/dit/video_dit.hpp"

using namespace eflow;
using namespace eflow::nn;
using jit::Backend;

namespace {

using Sizes = std::vector<std::int64_t>;

KernelNeeds on_a_gpu(int kept_percent = 0, bool gradients = true) {
  return {.backend = Backend::kCuda,
          .dtype = DType::kBF16,
          .kept_percent = kept_percent,
          .gradients = gradients};
}

std::set<std::pair<std::string, Sizes>> named(const std::vector<jit::TuningJob>& jobs) {
  std::set<std::pair<std::string, Sizes>> out;
  for (const jit::TuningJob& job : jobs)
    out.emplace(to_string(job.kernel.spec, job.kernel.name), job.sizes);
  BOOST_TEST(out.size() == jobs.size());  // no duplicates
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_linear_layer_is_three_products) {
  const DiTConfig c = preset("tiny");
  const std::int64_t rows = 5 * c.grid().count();
  const auto jobs = named(product_jobs(c, on_a_gpu(), 5));
  const std::int64_t dim = c.dim;
  struct Layer {
    std::int64_t out, in;
    std::string compute, result;
    std::string forward = "0, 1, 1", input_grad = {};
  };
  for (const Layer& layer : {Layer{3 * dim, dim, "bf16", "bf16"},
                             {dim, dim, "bf16", "f32"},  // into the residual stream
                             {c.hidden, dim, "bf16", "bf16", "0, 1, 7"},
                             {dim, c.hidden, "bf16", "f32", "0, 1, 1", "0, 0, 12"},
                             {dim, 2 * dim, "f32", "f32"},
                             {dim, c.patch_values(), "f32", "f32"},
                             {c.patch_values(), dim, "f32", "f32"}}) {
    const auto& [out, in, compute, result, forward, input_grad] = layer;
    BOOST_TEST_CONTEXT(out << " from " << in) {
      const auto product = [&](const std::string& to, const std::string& form) {
        return str("cublaslt<", compute, ", ", to, ">(", form, ")");
      };
      BOOST_TEST(jobs.contains({product(result, forward), {rows, out, in, 1}}));
      BOOST_TEST(jobs.contains({product(compute, input_grad), {rows, in, out, 1}}));
      BOOST_TEST(jobs.contains({product("f32", "1"), {out, in, rows, 1}}));
    }
  }
  for (const auto& [name, sizes] : jobs) BOOST_TEST((sizes[0] == rows || sizes[2] == rows), name);
  for (const auto& [name, sizes] : named(product_jobs(c, on_a_gpu(0, false), 5)))
    BOOST_TEST((name.ends_with("(0, 1, 1)") || name.ends_with("(0, 1, 3)")), name);
}

BOOST_AUTO_TEST_CASE(the_middle_also_runs_over_kept_tokens) {
  const DiTConfig c = preset("tiny");
  const std::int64_t kept = c.grid().count() / 4;
  const auto jobs = named(product_jobs(c, on_a_gpu(25), 1));
  BOOST_TEST(jobs.contains({"cublaslt<bf16, bf16>(0, 1, 7)", {kept, c.hidden, c.dim, 1}}));
  BOOST_TEST(!jobs.contains({"cublaslt<f32, f32>(0, 1, 1)", {kept, c.dim, c.patch_values(), 1}}));
}

/// All other products of a forward pass are over samples.
BOOST_DATA_TEST_CASE(every_preset_has_products, boost::unit_test::data::make(preset_names()),
                     name) {
  const DiTConfig c = preset(name);
  BOOST_TEST(product_jobs(c, {.backend = Backend::kHost}, 1).empty());
  // Distinct shapes: patch, head, qkv, gates, output, the two feed-forward layers, fusion.
  const std::size_t layers = named(product_jobs(c, on_a_gpu(0, false), 1)).size();
  BOOST_TEST(layers >= 6u);
  BOOST_TEST(layers <= 9u);
}
