#include "eflow/trainer/saving/background_saver.hpp"

#include <utility>

namespace eflow::trainer {

void BackgroundSaver::save(const nn::NamedTensors& state, SaveRequest request) {
  queue_.wait(copies_.size() - 1);  // saves end in order, so the older copy is free
  TensorBytes& copy = copies_[next_];
  copy.fill("", state);
  next_ = (next_ + 1) % copies_.size();
  queue_.push(request.step, [&copy, request = std::move(request)]() mutable {
    request.before();
    std::vector<io::NamedBytes> arrays = copy.arrays();
    arrays.insert(arrays.end(), request.extras.begin(), request.extras.end());
    return request.store.save(request.step, arrays, request.metadata);
  });
}

}  // namespace eflow::trainer
