// The collective operations, as exchanges of messages.
#include <algorithm>
#include <cstring>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/comm/operation.hpp"

namespace eflow::comm {

Pending Communicator::broadcast(std::span<std::byte> bytes, int root, const Call& call) {
  if (rank_ != root) return exchange({}, {{root, bytes}}, call);
  std::vector<Outgoing> sends;
  for (int to = 0; to < size_; ++to) {
    if (to != rank_) sends.push_back({to, bytes});
  }
  return exchange(std::move(sends), {}, call);
}

Pending Communicator::all_gather(std::span<const std::byte> mine,
                                 const std::vector<std::span<std::byte>>& all, const Call& call) {
  const std::vector<std::span<const std::byte>> to(static_cast<std::size_t>(size_), mine);
  return all_to_all(to, all, call);
}

Pending Communicator::all_to_all(const std::vector<std::span<const std::byte>>& to,
                                 const std::vector<std::span<std::byte>>& from, const Call& call) {
  const auto count = static_cast<std::size_t>(size_), me = static_cast<std::size_t>(rank_);
  if (to.size() != count || from.size() != count || to[me].size() != from[me].size()) {
    throw InvalidArgument(str("[ranks] ", quoted(call.what, call.step),
                              ": expected a part for each of ", size_,
                              " ranks, and the same size for the own one"));
  }
  if (!to[me].empty() && to[me].data() != from[me].data())
    std::memcpy(from[me].data(), to[me].data(), to[me].size());
  std::vector<Outgoing> sends;
  std::vector<Incoming> receives;
  // Rank r begins with its next neighbour, so that not all send to rank 0 first.
  for (int k = 1; k < size_; ++k) {
    const int after = (rank_ + k) % size_, before = (rank_ + size_ - k) % size_;
    sends.push_back({after, to[static_cast<std::size_t>(after)]});
    receives.push_back({before, from[static_cast<std::size_t>(before)]});
  }
  return exchange(std::move(sends), std::move(receives), call);
}

void Communicator::barrier(const Call& call) {
  const std::vector<std::span<std::byte>> nothing(static_cast<std::size_t>(size_));
  all_gather({}, nothing, call).wait();
}

std::vector<std::string> Communicator::gather(const std::string& mine, const Call& call) {
  std::vector<std::uint64_t> sizes(static_cast<std::size_t>(size_));
  std::vector<std::span<std::byte>> parts;
  for (std::uint64_t& size : sizes)
    parts.push_back(std::as_writable_bytes(std::span<std::uint64_t>(&size, 1)));
  const std::uint64_t own = mine.size();
  all_gather(std::as_bytes(std::span<const std::uint64_t>(&own, 1)), parts, call).wait();
  std::vector<std::string> texts;
  for (const std::uint64_t size : sizes) texts.emplace_back(size, '\0');
  parts.clear();
  for (std::string& text : texts)
    parts.push_back(std::as_writable_bytes(std::span<char>(text.data(), text.size())));
  all_gather(std::as_bytes(std::span<const char>(mine.data(), mine.size())), parts, call).wait();
  return texts;
}

std::string Communicator::broadcast(const std::string& text, int root, const Call& call) {
  std::uint64_t size = text.size();
  broadcast(std::as_writable_bytes(std::span<std::uint64_t>(&size, 1)), root, call).wait();
  std::string result = rank_ == root ? text : std::string(size, '\0');
  broadcast(std::as_writable_bytes(std::span<char>(result.data(), result.size())), root, call)
      .wait();
  return result;
}

bool Communicator::any(bool mine, const Call& call) {
  const std::vector<std::string> all = gather(mine ? "1" : "0", call);
  return std::any_of(all.begin(), all.end(), [](const std::string& one) { return one == "1"; });
}

}  // namespace eflow::comm
