// Rules between configuration values, each said as: key, expected, found.

#include "eflow/base/error.hpp"
#include "eflow/trainer/buckets.hpp"
#include "eflow/trainer/config.hpp"
#include "eflow/trainer/objective_config.hpp"

namespace eflow::trainer {
namespace {

/// Of r in bf16: rounding of F is about 4e-3, the signal (F_t - F_l) about 0.5 r.
constexpr double kLeastRatioInBf16 = 0.02;

class Rules {
 public:
  explicit Rules(const Config& config) : c_(config) {}

  std::vector<std::string> broken() && {
    sizes();
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
  /// What parsing a list complains about is a problem.
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
    require(m.encoder + m.middle + m.decoder > 0,
            "model.encoder, model.middle, model.decoder: expected at least one block, found none");
    require(c_.train.batch % c_.train.accumulation == 0,
            "train.accumulation: expected a divisor of train.batch = ", c_.train.batch, ", found ",
            c_.train.accumulation);
    require(c_.optim.warmup <= c_.train.iterations,
            "optim.warmup: expected at most train.iterations = ", c_.train.iterations, ", found ",
            c_.optim.warmup);
  }

  void objective() {
    const ObjectiveConfig& o = c_.objective;
    require(o.r_end <= o.r_init, "objective.r_end: expected at most objective.r_init = ", o.r_init,
            ", found ", o.r_end);
    require(c_.train.precision != "bf16" || o.fm_share == 1 || o.r_end >= kLeastRatioInBf16,
            "objective.r_end: with train.precision = bf16 expected at least ", kLeastRatioInBf16,
            ", below which rounding outweighs what (F_t - F_l) / r measures; found ", o.r_end,
            "; raise it or use train.precision = f32");
    require(c_.guidance.w_max == 0 || c_.guidance.w_max >= o.guidance,
            "guidance.w_max: expected 0 or at least objective.guidance = ", o.guidance, ", found ",
            c_.guidance.w_max);
    require(c_.mva.share <= o.fm_share,
            "mva.share: expected at most objective.fm_share = ", o.fm_share, ", found ",
            c_.mva.share);
    require(2 * c_.mva.min_jump <= c_.mva.nodes,
            "mva.min_jump: expected at most mva.nodes / 2 = ", c_.mva.nodes / 2, ", found ",
            c_.mva.min_jump);
  }

  void anyflow() {
    require(
        c_.objective.kind == "eflow" || (c_.drop.tokens == "none" && c_.mva.share == 0 &&
                                         c_.guidance.kind == "null" && !c_.guidance.embed),
        "objective.kind: anyflow has no token dropping, additivity, weak path or told guidance; "
        "expected drop.tokens = none, mva.share = 0, guidance.kind = null, guidance.embed = "
        "false");
    const bool on_policy = c_.objective.kind == "anyflow-on-policy";
    require(!on_policy || !c_.anyflow.teacher.empty(),
            "anyflow.teacher: expected a run, or 'exact', with objective.kind = anyflow-on-policy; "
            "found nothing");
    require(!on_policy || !c_.train.init_from.empty(),
            "train.init_from: expected the run that objective.kind = anyflow-on-policy goes on "
            "from, or an earlier stage; found nothing");
    require(
        c_.anyflow.teacher != "exact" || c_.data.exact.kind != "none",
        "anyflow.teacher: 'exact' needs an exactly known flow; expected exact.kind, found none");
    require_parses([&] { static_cast<void>(parse_rollouts(c_.anyflow.rollouts)); });
  }

  void data() {
    require(!c_.data.eval.empty(),
            "data.eval: expected 'split', 'none' or a folder, found nothing");
    require_parses([&] { static_cast<void>(parse_buckets(c_.data.buckets)); });
    if (c_.data.buckets.empty()) return;
    require(!c_.model.position_table,
            "model.position_table: expected false with data.buckets, as the table is for one size "
            "of clips; found true");
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
