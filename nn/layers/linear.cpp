#include "eflow/nn/layers/linear.hpp"

#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

Linear::Linear(const Scope& scope, std::int64_t in, std::int64_t out)
    : Linear(scope, in, out, xavier_uniform(in, out)) {}

Linear::Linear(const Scope& scope, std::int64_t in, std::int64_t out, const Init& weight_init,
               Bias bias)
    : Module(scope),
      weight_(parameter("weight", {out, in}, weight_init)),
      bias_(bias == Bias::kYes ? parameter("bias", {out}, constant_init(0)) : Tensor()) {}

}  // namespace eflow::nn
