#include "eflow/trainer/run/checkpoint.hpp"

#include <cstring>
#include <nlohmann/json.hpp>

#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/saving/tensor_bytes.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {
namespace {

using nlohmann::ordered_json;

/// The array of a checkpoint that holds TextInfo::null.
constexpr const char* kNullContext = "data/null_context";

ordered_json to_json(const WeightsOrigin& origin) {
  return {{"run", origin.run}, {"step", origin.step}, {"digest", origin.digest}};
}

std::optional<WeightsOrigin> origin_at(const nlohmann::json& json, const char* key) {
  if (!json.contains(key)) return std::nullopt;
  const auto& origin = json.at(key);
  return WeightsOrigin{origin.at("run").get<std::string>(), origin.at("step").get<std::int64_t>(),
                       origin.at("digest").get<std::string>()};
}

ordered_json describe_run(const Config& config, const DataInfo& data, const RunHistory& history) {
  auto& runtime = default_device()->runtime();
  ordered_json json = {{"config", to_ini(config)},
                       {"data", nlohmann::json::parse(trainer::to_json(data))},
                       {"isa", runtime.target().arch},
                       {"threads", runtime.pool().size()}};
  if (history.init) json["init"] = to_json(*history.init);
  if (history.earlier_updates > 0) json["earlier_updates"] = history.earlier_updates;
  if (history.skipped > 0) json["skipped"] = history.skipped;
  if (history.teacher) json["teacher"] = to_json(*history.teacher);
  if (!history.pending_metrics.empty()) json["pending_metrics"] = history.pending_metrics;
  return json;
}

RunHistory history_of(const nlohmann::json& json) {
  return {.init = origin_at(json, "init"),
          .earlier_updates = json.value("earlier_updates", std::int64_t{0}),
          .skipped = json.value("skipped", std::int64_t{0}),
          .teacher = origin_at(json, "teacher"),
          .pending_metrics = json.value("pending_metrics", std::string())};
}

}  // namespace

std::string metadata_of(const Config& config, const DataInfo& data, const RunHistory& history) {
  return describe_run(config, data, history).dump();
}

std::vector<io::NamedBytes> extra_arrays(const DataInfo& data) {
  const std::vector<float>& null = data.text.null;
  if (null.empty()) return {};
  return {{kNullContext,
           DType::kF32,
           {data.text.length, data.clips.context_dim},
           std::as_bytes(std::span(null))}};
}

nn::NamedTensors load_trainer_state(const io::Checkpoint& checkpoint) {
  nn::NamedTensors state = load_tensors(checkpoint, "");
  std::erase_if(state, [](const auto& named) { return named.first.starts_with("data."); });
  return state;
}

std::filesystem::path save_weights(io::CheckpointStore* store, const nn::NamedTensors& weights,
                                   const Config& config, const DataInfo& data) {
  const TensorBytes bytes("ema.", weights);
  return store->save(0, bytes.arrays(), metadata_of(config, data, {}));
}

CheckpointInfo info_of(const io::Checkpoint& checkpoint) {
  const std::string where = checkpoint.path().string();
  try {
    const auto json = nlohmann::json::parse(checkpoint.metadata());
    CheckpointInfo info = {
        .step = checkpoint.step(),
        .config = stored_config(json.at("config").get<std::string>(), where + " (config)"),
        .data = data_info_from_json(json.at("data").dump(), where),
        .isa = json.at("isa").get<std::string>(),
        .threads = json.at("threads").get<std::int64_t>(),
        .history = history_of(json),
        .digest = checkpoint.digest("ema/")};
    if (checkpoint.contains(kNullContext)) {
      const io::LoadedArray null = checkpoint.load_one(kNullContext);
      info.data.text.null.resize(null.bytes.size() / sizeof(float));
      std::memcpy(info.data.text.null.data(), null.bytes.data(), null.bytes.size());
    }
    return info;
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
  } catch (const io::MissingCheckpoint& error) {
    throw CheckpointError(error.what());
  } catch (const CorruptData& error) {
    throw CheckpointError(error.what());
  }
}

std::uint64_t checkpoint_bytes(const Trainer& trainer) {
  std::uint64_t bytes = 1 << 16;  // the description
  for (const auto& [name, spec] : trainer.state_specs()) {
    const auto count = static_cast<std::uint64_t>(element_count(spec.shape));
    bytes += count * size_of(spec.dtype) + 512;  // 512: headers
  }
  return bytes;
}

}  // namespace eflow::trainer
