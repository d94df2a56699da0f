#pragma once
// Arguments of loss.h; C is the compute type.

namespace eflow::args {

/// loss[r] = log(sum of exp(logits[r])) - logits[r, label[r]]
struct CrossEntropy {
  const void* logits;
  const long long* labels;
  void* loss;     ///< C [rows]
  void* log_sum;  ///< C [rows]
  long long rows, classes;
  long long stride;  ///< of logits, between rows
  long long rows_per_block;
};

/// dlogits = (softmax(logits) - onehot(label)) dloss / rows
struct CrossEntropyGrad {
  const void* logits;
  const long long* labels;
  const void* log_sum;
  const void* dloss;  ///< one element of the logits' type
  void* dlogits;      ///< row-major
  long long rows, classes;
  long long stride;
  long long rows_per_block;
};

}  // namespace eflow::args
