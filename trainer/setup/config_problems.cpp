// Rules between options. Every message names the key, the expected value and the value found.

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/data/buckets.hpp"
#include "eflow/trainer/guard/damage.hpp"
#include "eflow/trainer/setup/objective_config.hpp"

namespace eflow::trainer {
namespace {

/// Smallest r for bf16. Measured on two trained networks, the rounding error of F has an rms of 6e-4
/// to 9e-4, so that of (F_t - F_l) / r is 0.12 to 0.19 at this r, of a signal of 2 to 3.
constexpr double kLeastRatioInBf16 = 0.005;

class Rules {
 public:
  explicit Rules(const Config& config) : c_(config) {}

  std::vector<std::string> broken() && {
    sizes();
    network();
    sequence();
    objective();
    anyflow();
    data();
    return std::move(problems_);
  }

 private:
  template <class... Parts>
  void require(bool ok, const Parts&... parts) {
    if (!ok) problems_.push_back(str(parts...));
  }
  /// An InvalidArgument that `parse` throws is a problem.
  template <class Parse>
  void require_parses(const Parse& parse) {
    try {
      parse();
    } catch (const InvalidArgument& error) {
      problems_.push_back(error.what());
    }
  }

  void sizes() {
    const ModelConfig& m = c_.model;
    require(m.dim % m.heads == 0, "model.heads: expected a divisor of model.dim = ", m.dim,
            ", found ", m.heads);
    require(m.dim % m.heads != 0 || m.dim / m.heads % 2 == 0,
            "model.heads: expected an even width of each head, model.dim / model.heads, for the "
            "positions of tokens; found ",
            m.dim, " / ", m.heads, " = ", m.dim / m.heads);
    require(m.encoder + m.middle + m.decoder > 0,
            "model.encoder, model.middle, model.decoder: expected at least one block, found none");
    const std::int64_t shards = std::max<std::int64_t>(1, c_.train.shards);
    require(c_.train.batch % shards == 0,
            "train.shards: expected a divisor of train.batch = ", c_.train.batch, ", found ",
            shards);
    require(c_.train.batch % shards != 0 || c_.train.batch / shards % c_.train.accumulation == 0,
            "train.accumulation: expected a divisor of train.batch",
            c_.train.shards > 1 ? " / train.shards" : "", " = ", c_.train.batch / shards,
            ", found ", c_.train.accumulation);
    require(c_.optim.lr.warmup <= c_.train.iterations,
            "optim.warmup: expected at most train.iterations = ", c_.train.iterations, ", found ",
            c_.optim.lr.warmup);
  }

  /// Losses that the network has no parts for.
  void network() {
    const ModelConfig& m = c_.model;
    const bool velocities = c_.objective.kind == ObjectiveKind::kEFlow &&
                            c_.objective.fm_share == 1 && c_.mva.share == 0;
    require(
        m.gap != nn::GapInput::kNone || velocities,
        "model.gap: expected t-s or s, as only flow matching (objective.kind = eflow, "
        "objective.fm_share = 1, mva.share = 0) trains a network that does not see s; found none");
    require(m.long_residual || c_.drop.kind == soflow::DropKind::kNone,
            "model.long_residual: expected true with drop.tokens = ", name_of(c_.drop.kind),
            ", as the fusion fills in dropped tokens; found false");
    require(m.long_residual || c_.guidance.kind != soflow::Unconditional::kWeakPath,
            "model.long_residual: expected true with guidance.kind = weak, as the weak path feeds "
            "the fusion; found false");
  }

  /// What ranks that divide clips cannot do.
  void sequence() {
    if (c_.train.sequence == 1) return;
    const std::string why = str(" with train.sequence = ", c_.train.sequence, "; found ");
    require(nn::can_be_divided(c_.model.attention),
            "model.attention: expected softmax, window, linear, sum, glga or sana", why,
            name_of(c_.model.attention));
    require(!is_causal(c_), "model.chunk_frames: expected 0", why, c_.model.chunk_frames);
    require(c_.objective.kind != ObjectiveKind::kAnyFlowOnPolicy,
            "objective.kind: expected eflow or anyflow", why, name_of(c_.objective.kind));
    require(c_.drop.kind != soflow::DropKind::kIid,
            "drop.tokens: expected groups-3d, groups-2d or none", why, name_of(c_.drop.kind));
  }

  void objective() {
    const ObjectiveConfig& o = c_.objective;
    const soflow::GuidanceOptions& g = c_.guidance;
    const soflow::JumpLaw& jumps = c_.mva.jumps;
    require(o.ratio.end <= o.ratio.init,
            "objective.r_end: expected at most objective.r_init = ", o.ratio.init, ", found ",
            o.ratio.end);
    require(
        c_.train.precision != DType::kBF16 || o.fm_share == 1 || o.ratio.end >= kLeastRatioInBf16,
        "objective.r_end: with train.precision = bf16 expected at least ", kLeastRatioInBf16,
        ", below which rounding dominates (F_t - F_l) / r; found ", o.ratio.end,
        "; raise it or use train.precision = f32");
    require(o.ratio.iterations == 0 || o.ratio.first < o.ratio.iterations,
            "objective.r_from: expected less than objective.r_steps = ", o.ratio.iterations,
            ", found ", o.ratio.first);
    require(g.scale_max == 0 || g.scale_max >= g.scale,
            "guidance.w_max: expected 0 or at least objective.guidance = ", g.scale, ", found ",
            g.scale_max);
    require(c_.mva.share <= o.fm_share,
            "mva.share: expected at most objective.fm_share = ", o.fm_share, ", found ",
            c_.mva.share);
    require(o.given.share == 0 || !is_causal(c_),
            "objective.given_share: expected 0 with model.chunk_frames = ", c_.model.chunk_frames,
            ", as a chunk-causal run is given earlier chunks without it; found ", o.given.share);
    require(o.given.share == 0 || c_.anyflow.teacher != "exact" ||
                o.kind != ObjectiveKind::kAnyFlowOnPolicy,
            "objective.given_share: expected 0 with anyflow.teacher = exact, as the exact flow "
            "knows no given frames; found ",
            o.given.share);
    require(2 * jumps.min_jump <= jumps.nodes,
            "mva.min_jump: expected at most mva.nodes / 2 = ", jumps.nodes / 2, ", found ",
            jumps.min_jump);
  }

  void anyflow() {
    const bool plain = c_.drop.kind == soflow::DropKind::kNone && c_.mva.share == 0 &&
                       c_.guidance.kind == soflow::Unconditional::kNullCondition &&
                       !c_.guidance.embed;
    require(c_.objective.kind == ObjectiveKind::kEFlow || plain,
            "objective.kind: anyflow has no token dropping, additivity, weak path or embedded "
            "guidance; expected drop.tokens = none, mva.share = 0, guidance.kind = null, "
            "guidance.embed = false");
    const bool on_policy = c_.objective.kind == ObjectiveKind::kAnyFlowOnPolicy;
    require(!on_policy || !c_.anyflow.teacher.empty(),
            "anyflow.teacher: expected a run, or 'exact', with objective.kind = anyflow-on-policy; "
            "found nothing");
    require(!on_policy || !c_.train.init_from.empty(),
            "train.init_from: expected the run that objective.kind = anyflow-on-policy starts "
            "from, or an earlier stage; found nothing");
    require(!on_policy || c_.train.init_state == InitState::kAverage,
            "train.init_state: expected average with objective.kind = anyflow-on-policy, whose "
            "learned score starts anew; found all");
    require(
        c_.anyflow.teacher != "exact" || c_.data.exact.enabled,
        "anyflow.teacher: 'exact' needs an exactly known flow; expected exact.kind, found none");
    require_parses([&] { static_cast<void>(parse_rollouts(c_.anyflow.rollouts)); });
  }

  void data() {
    require(c_.data.dir.empty() || !c_.data.exact.enabled,
            "data.dir: expected nothing, as exact.kind generates the clips; found ", c_.data.dir,
            "; remove one of the two");
    require(!c_.data.eval.empty(),
            "data.eval: expected 'split', 'last', 'none' or a folder, found nothing");
    require_parses([&] { static_cast<void>(parse_buckets(c_.data.buckets)); });
    require_parses([&] { static_cast<void>(parse_on_error(c_.data.on_error)); });
    if (c_.data.buckets.empty()) return;
    require(!c_.model.position_table,
            "model.position_table: expected false with data.buckets, because the table fits one "
            "clip size; found true");
    require(c_.model.chunk_frames == 0, "model.chunk_frames: expected 0 with data.buckets, found ",
            c_.model.chunk_frames);
  }

  const Config& c_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> problems_of(const Config& config) {
  return Rules(config).broken();
}

}  // namespace eflow::trainer
