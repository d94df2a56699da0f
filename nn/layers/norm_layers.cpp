#include "eflow/nn/layers/norm_layers.hpp"

namespace eflow::nn {

LayerNorm::LayerNorm(const Scope& scope, std::int64_t width)
    : Module(scope),
      weight_(parameter("weight", {width}, constant_init(1))),
      bias_(parameter("bias", {width}, constant_init(0))) {}

RmsNorm::RmsNorm(const Scope& scope, std::int64_t width, int groups)
    : Module(scope),
      width_(width),
      groups_(groups),
      weight_(parameter("weight", groups == 1 ? Shape{width} : Shape{groups, width / groups},
                        constant_init(1))) {}

}  // namespace eflow::nn
