#include "eflow/trainer/run/checkpoint.hpp"

#include <nlohmann/json.hpp>

#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/run/tensor_bytes.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {
namespace {

nlohmann::ordered_json describe_run(const Config& config, const DataInfo& data) {
  auto& runtime = default_device()->runtime();
  return {{"config", to_ini(config)},
          {"data", nlohmann::json::parse(to_json(data))},
          {"isa", runtime.target().arch},
          {"threads", runtime.pool().size()}};
}

}  // namespace

std::filesystem::path save_checkpoint(io::CheckpointStore* store, const Trainer& trainer,
                                      const Config& config, const DataInfo& data) {
  const TensorBytes bytes("", trainer.state());
  return store->save(trainer.steps(), bytes.arrays(), describe_run(config, data).dump());
}

CheckpointInfo info_of(const io::Checkpoint& checkpoint) {
  const std::string where = checkpoint.path().string();
  try {
    const auto json = nlohmann::json::parse(checkpoint.metadata());
    return {.step = checkpoint.step(),
            .config = stored_config(json.at("config").get<std::string>(), where + " (config)"),
            .data = data_info_from_json(json.at("data").dump(), where),
            .isa = json.at("isa").get<std::string>(),
            .threads = json.at("threads").get<std::int64_t>()};
  } catch (const nlohmann::json::exception& error) {
    throw CheckpointError(
        str("[checkpoint] ", where, ": not a training checkpoint: ", error.what()));
  } catch (const InvalidArgument& error) {
    throw CheckpointError(
        str("[checkpoint] ", where, ": written by an incompatible version:\n", error.what()));
  }
}

io::Checkpoint open_checkpoint(const std::filesystem::path& path) {
  try {
    return io::Checkpoint(path);
  } catch (const NoSpaceError&) {  // not a fault of the checkpoint
    throw;
  } catch (const Error& error) {
    throw CheckpointError(error.what());
  }
}

std::uint64_t checkpoint_bytes(const Trainer& trainer) {
  std::uint64_t bytes = 1 << 16;  // the description
  for (const auto& [name, tensor] : trainer.state()) {
    bytes +=
        static_cast<std::uint64_t>(tensor.count()) * size_of(tensor.dtype()) + 512;  // 512: headers
  }
  return bytes;
}

}  // namespace eflow::trainer
