#include "eflow/trainer/bench/comm_bench.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <string>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/stopwatch.hpp"

namespace eflow::trainer {
namespace {

constexpr int kRounds = 5;
/// Repetitions of a round: small messages take less than the clock resolves.
int repetitions(std::size_t bytes) {
  return bytes < (1U << 20) ? 50 : 2;
}

constexpr const char* kExchange = "exchange with neighbours";
constexpr const char* kAllToAll = "all-to-all";
constexpr const char* kAllGather = "all-gather";

/// The slowest rank's time of one call, the best round.
double time_of(comm::Communicator* ranks, std::size_t bytes, const std::function<void()>& call) {
  double best = std::numeric_limits<double>::infinity();
  call();
  for (int round = 0; round < kRounds; ++round) {
    ranks->barrier({"begin of a measurement"});
    const Stopwatch watch;
    for (int n = 0; n < repetitions(bytes); ++n) call();
    const std::string mine = std::to_string(watch.seconds() / repetitions(bytes) * 1e9);
    double slowest = 0;
    for (const std::string& text : ranks->gather(mine, {"time of a measurement"}))
      slowest = std::max(slowest, std::stod(text) * 1e-9);
    best = std::min(best, slowest);
  }
  return best;
}

}  // namespace

double CommBench::latency_s() const {
  return rows.at(0).seconds;
}

double CommBench::bytes_per_s() const {
  double rate = 0;
  for (const CommRow& row : rows) {
    if (row.operation == kExchange) rate = static_cast<double>(row.bytes) / row.seconds;
  }
  return rate;
}

CommBench measure_comm(comm::Communicator* ranks, std::size_t largest) {
  const int size = ranks->size(), me = ranks->rank();
  if (size < 2) throw InvalidArgument("[bench] messages need at least 2 ranks, found 1");
  CommBench bench{.ranks = size};
  const auto count = static_cast<std::size_t>(size);
  for (std::size_t bytes = 8; bytes <= largest; bytes *= bytes < 4096 ? 512 : 16) {
    std::vector<std::byte> out(bytes), in(bytes);
    const auto exchange = [&] {
      ranks
          ->exchange({{(me + 1) % size, out}}, {{(me + size - 1) % size, in}},
                     {"measured exchange"})
          .wait();
    };
    bench.rows.push_back({kExchange, bytes, time_of(ranks, bytes, exchange)});
  }
  // A rank sends `largest` bytes in all, divided over the others.
  const std::size_t part = std::max<std::size_t>(1, largest / count);
  std::vector<std::byte> out(part * count), in(part * count);
  std::vector<std::span<const std::byte>> to;
  std::vector<std::span<std::byte>> from;
  for (std::size_t r = 0; r < count; ++r) {
    to.push_back(std::span<const std::byte>(out).subspan(r * part, part));
    from.push_back(std::span(in).subspan(r * part, part));
  }
  const std::size_t sent = part * (count - 1);
  bench.rows.push_back({kAllToAll, sent, time_of(ranks, sent, [&] {
                          ranks->all_to_all(to, from, {"measured all-to-all"}).wait();
                        })});
  bench.rows.push_back({kAllGather, sent, time_of(ranks, sent, [&] {
                          ranks->all_gather(to[0], from, {"measured all-gather"}).wait();
                        })});
  return bench;
}

}  // namespace eflow::trainer
