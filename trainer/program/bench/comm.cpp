// eflow bench comm: measures messages between ranks.

#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/trainer/bench/comm_bench.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/options/option_parser.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/ranks/world.hpp"
#include "eflow/trainer/program/signals.hpp"

namespace eflow::program {
namespace {

using trainer::between;
using trainer::CommBench;
using trainer::CommRow;
using trainer::Option;

void print(const CommBench& bench, bool threads) {
  std::printf("%d ranks%s\n%-26s %12s %12s %9s\n", bench.ranks,
              threads ? " (threads of this process; start it under mpirun for real ones)" : "",
              "operation", "bytes sent", "us", "GB/s");
  for (const CommRow& row : bench.rows) {
    std::printf("%-26s %12zu %12.1f %9.2f\n", row.operation, row.bytes, 1e6 * row.seconds,
                static_cast<double>(row.bytes) / row.seconds / 1e9);
  }
  std::printf("for `eflow train --dry-run --ranks N`: --network %.3g,%.3g\n",
              bench.bytes_per_s() / 1e9, 1e6 * bench.latency_s());
}

void print_json(const CommBench& bench) {
  auto rows = nlohmann::ordered_json::array();
  for (const CommRow& row : bench.rows)
    rows.push_back({{"operation", row.operation}, {"bytes", row.bytes}, {"s", row.seconds}});
  const nlohmann::ordered_json all = {{"ranks", bench.ranks},
                                      {"latency_s", bench.latency_s()},
                                      {"bytes_per_s", bench.bytes_per_s()},
                                      {"rows", rows}};
  std::printf("%s\n", all.dump(2).c_str());
}

}  // namespace

int bench_comm(const Arguments& arguments) {
  std::int64_t mebibytes = 64, threads = 2;
  bool json = false;
  const std::vector<Option> options = {
      {"mib", &mebibytes, between(1, 4096), "MiB", "Bytes of the largest message."},
      {"threads", &threads, between(2, 256), "ranks",
       "Ranks, as threads of this process, if mpirun started no others."},
      {"json", &json, "Print JSON."}};
  if (wants_help(arguments)) {
    return print_help({"mpirun -n N eflow bench comm [--mib 64]",
                       "Measures latency and rate of messages between ranks: the terms of "
                       "`eflow train --dry-run --ranks N`."},
                      options);
  }
  trainer::OptionParser parser(options);
  parser.parse_arguments(arguments);
  parser.finish();
  World world(600, stop_requested);
  return world.guard([&] {
    const auto largest = static_cast<std::size_t>(mebibytes) << 20;
    CommBench bench;
    if (world.ranks() != nullptr) {
      bench = trainer::measure_comm(world.ranks(), largest);
    } else {
      comm::run_ranks(static_cast<int>(threads), [&](comm::Communicator& ranks) {
        const CommBench mine = trainer::measure_comm(&ranks, largest);
        if (ranks.is_first()) bench = mine;
      });
    }
    if (!world.is_first()) return trainer::kExitOk;
    json ? print_json(bench) : print(bench, world.ranks() == nullptr);
    return trainer::kExitOk;
  });
}

}  // namespace eflow::program
