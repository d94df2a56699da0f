#pragma once
// GroupChannel: some consecutive ranks of a channel as a network of their own. Its messages have
// tags of their own, so those of the group and of the whole network never meet.

#include "eflow/core/comm/channel.hpp"

namespace eflow::comm {

/// Tags of a network, and of its groups: below and from here.
inline constexpr int kGroupTags = 16384;

class GroupChannel final : public Channel {
 public:
  /// Ranks [first, first + size) of `all`, which must outlive this object.
  GroupChannel(Channel* all, int first, int size) : all_(all), first_(first), size_(size) {}
  [[nodiscard]] int rank() const override { return all_->rank() - first_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] int number(int rank) const override { return all_->number(first_ + rank); }
  [[nodiscard]] std::string place() const override { return all_->place(); }
  [[nodiscard]] std::unique_ptr<Request> send(int to, int tag,
                                              std::span<const std::byte> bytes) override {
    return all_->send(first_ + to, kGroupTags + tag, bytes);
  }
  [[nodiscard]] std::unique_ptr<Request> receive(int from, int tag,
                                                 std::span<std::byte> bytes) override {
    return all_->receive(first_ + from, kGroupTags + tag, bytes);
  }
  void rest(int polls) override { all_->rest(polls); }

 private:
  Channel* all_;
  int first_, size_;
};

}  // namespace eflow::comm
