// What a stranger's program does first: a tensor, a gradient.
#include <cstdio>

#include "eflow/core/ops.hpp"

int main() {
  const eflow::Tensor x = eflow::Tensor::full({3}, 2.0);
  x.set_requires_grad();
  eflow::backward(eflow::sum(x * x));
  std::printf("%g\n", x.grad().to_vector<double>()[0]);
  return x.grad().to_vector<double>()[0] == 4.0 ? 0 : 1;
}
