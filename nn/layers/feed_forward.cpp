#include "eflow/nn/layers/feed_forward.hpp"

namespace eflow::nn {

FeedForward::FeedForward(const Scope& scope, std::int64_t width, std::int64_t hidden)
    : Module(scope), up_(child("up"), width, hidden), down_(child("down"), hidden, width) {}

}  // namespace eflow::nn
