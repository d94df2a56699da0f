// The first thing that a program does with eflow: a tensor, a gradient.
#include <cstdio>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/version.hpp"

int main() {
  const eflow::Tensor x = eflow::Tensor::full({3}, 2.0);
  x.set_requires_grad();
  eflow::backward(eflow::sum(x * x));
  std::printf("eflow %s: %g\n", EFLOW_VERSION, x.grad().to_vector<double>()[0]);
  return x.grad().to_vector<double>()[0] == 4.0 ? 0 : 1;
}
