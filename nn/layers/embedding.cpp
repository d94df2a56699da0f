#include "eflow/nn/layers/embedding.hpp"

namespace eflow::nn {

Embedding::Embedding(const Scope& scope, std::int64_t rows, std::int64_t width)
    : Module(scope), table_(parameter("weight", {rows, width}, normal_init(0.02))) {}

}  // namespace eflow::nn
