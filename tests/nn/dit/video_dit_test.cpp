#define BOOST_TEST_MODULE video_dit
#include "eflow/nn/dit/video_dit.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/model_check.hpp"
#include "eflow/tests/support/small_dit.hpp"

namespace eflow::nn {
namespace {

/// 8 tokens of 12 values: small enough for finite differences.
DiTConfig small() {
  DiTConfig c = test::small_dit(2);
  c.classes = 3;
  return c;
}

const Scope kScope({.seed = 1}, DType::kF64);

struct Inputs {
  Tensor x = test::values({2, 3, 2, 4, 4}, 1);
  Tensor t = Tensor::from(std::vector<double>{0.7, 0.02}, {2});
  Tensor s = Tensor::from(std::vector<double>{0.3, 0.01}, {2});
  Condition c;
  Inputs() { c.labels = Tensor::from(std::vector<std::int64_t>{2, 0}, {2}); }
  [[nodiscard]] Tensor run(const VideoDiT& model) const { return model(x, t, s, c); }
};

Tensor ids_of(const std::vector<std::int64_t>& ids) {
  return Tensor::from(ids, {2, static_cast<std::int64_t>(ids.size()) / 2});
}

/// Moves every parameter from its initial value, so that zero initialisers mask no error.
std::unique_ptr<VideoDiT> trained(const DiTConfig& config) {
  auto model = std::make_unique<VideoDiT>(kScope, config);
  test::perturb(model->parameters(), 0.2);
  return model;
}

BOOST_AUTO_TEST_CASE(an_untrained_velocity_is_zero) {
  const VideoDiT model(kScope, small());
  BOOST_TEST(test::largest(Inputs().run(model)) == 0);
}

BOOST_AUTO_TEST_CASE(the_data_head_is_converted_to_a_velocity) {
  DiTConfig c = small();
  const Inputs in;
  const Tensor net = in.run(*trained(c));
  c.prediction = Prediction::kData;
  const Tensor rate = Tensor::from(std::vector<double>{1 / 0.7, 1 / 0.05}, {2, 1, 1, 1, 1});
  BOOST_TEST(test::distance(in.run(*trained(c)), (in.x - net) * rate) < 1e-12);
}

BOOST_AUTO_TEST_CASE(every_input_matters) {
  DiTConfig c = small();
  c.guidance_embedding = true;
  const auto model = trained(c);
  const Inputs in;
  const Tensor base = in.run(*model);
  const auto changes = [&](auto change) {
    Inputs other;
    change(other);
    return test::distance(base, other.run(*model)) > 1e-6;
  };
  BOOST_TEST(changes([](Inputs& i) { i.x = i.x * 0.5; }));
  BOOST_TEST(changes([](Inputs& i) { i.t = i.t * 0.5; }));
  BOOST_TEST(changes([](Inputs& i) { i.s = i.s * 0.5; }));
  BOOST_TEST(changes([](Inputs& i) { i.c.labels = Tensor(); }));
  BOOST_TEST(changes([](Inputs& i) { i.c.guidance = Tensor::full({2}, 3, DType::kF64); }));
  BOOST_TEST(changes([](Inputs& i) { i.c.kept = ids_of({0, 1, 4, 5}); }));
  BOOST_TEST(changes([](Inputs& i) { i.c.path = Path::kWeak; }));
  BOOST_TEST(!changes([](Inputs& i) { i.c.guidance = Tensor::zeros({2}, DType::kF64); }));
}

/// E(t) + E_gap(t - s) at (t, s) is E(t) + E_gap(s) at (t, t - s), and no gap is a velocity.
BOOST_AUTO_TEST_CASE(the_gap_embedder_sees_its_input) {
  DiTConfig c = small();
  const auto interval = trained(c);
  c.gap = GapInput::kEnd;
  VideoDiT end(kScope, c);
  end.load_state(interval->state());
  Inputs in, moved;
  moved.s = moved.t - moved.s;
  BOOST_TEST(test::distance(in.run(*interval), moved.run(end)) < 1e-14);
  BOOST_TEST(test::distance(in.run(*interval), in.run(end)) > 1e-6);
  c.gap = GapInput::kNone;
  const auto none = trained(c);
  BOOST_TEST(test::distance(in.run(*none), moved.run(*none)) == 0);
  BOOST_TEST(none->state().size() + 4 == interval->state().size());
}

Tensor times_of_frames(const std::vector<double>& times) {
  return Tensor::from(times, {2, 2});
}

/// Times per frame: equal ones are one time per sample; a frame with its own changes the clip.
BOOST_AUTO_TEST_CASE(token_frames_can_have_times_of_their_own) {
  for (const Prediction prediction : {Prediction::kVelocity, Prediction::kData}) {
    DiTConfig c = small();
    c.prediction = prediction;
    c.guidance_embedding = true;
    const auto model = trained(c);
    for (const bool drop : {false, true}) {
      Inputs in, each;
      in.c.guidance = each.c.guidance = Tensor::from(std::vector<double>{3, 4}, {2});
      if (drop) in.c.kept = each.c.kept = ids_of({0, 3, 5, 2, 3, 7});
      each.t = times_of_frames({0.7, 0.7, 0.02, 0.02});
      each.s = times_of_frames({0.3, 0.3, 0.01, 0.01});
      BOOST_TEST(test::distance(in.run(*model), each.run(*model)) < 1e-12);
      each.t = times_of_frames({0.7, 0.5, 0.02, 0.02});
      const Tensor first = narrow(in.run(*model), 0, 0, 1), other = each.run(*model);
      BOOST_TEST(test::distance(first, narrow(other, 0, 0, 1)) > 1e-6);
      BOOST_TEST(test::distance(narrow(in.run(*model), 0, 1, 1), narrow(other, 0, 1, 1)) < 1e-12);
    }
  }
}

/// Known frames are clean in the network, their solution is exact, and the noise in their place has
/// no influence on the others.
BOOST_AUTO_TEST_CASE(known_frames_are_given) {
  const auto model = trained(small());
  Inputs in, other;
  const Tensor given = test::values({2, 3, 2, 4, 4}, 4);
  for (Inputs* each : {&in, &other}) {
    each->c.given = given;
    each->c.known = times_of_frames({1, 0, 0, 0});  // the first frame of the first clip
  }
  const Tensor noise =
      concat({test::values({1, 3, 1, 4, 4}, 5), narrow(narrow(in.x, 0, 0, 1), 2, 1, 1)}, 2);
  other.x = concat({noise, narrow(in.x, 0, 1, 1)}, 0);
  const Tensor F = in.run(*model), F_other = other.run(*model);
  BOOST_TEST(test::distance(narrow(F, 2, 1, 1), narrow(F_other, 2, 1, 1)) < 1e-12);
  const auto first = [](const Tensor& clips) { return narrow(narrow(clips, 0, 0, 1), 2, 0, 1); };
  const auto solution = [&](const Inputs& i, const Tensor& f) {
    return first(i.x) - first(f) * 0.7;
  };
  BOOST_TEST(test::distance(solution(in, F), first(given)) < 1e-12);
  BOOST_TEST(test::distance(solution(other, F_other), first(given)) < 1e-12);
  // The network sees the frame at time 0.
  Inputs clean;
  clean.t = times_of_frames({0, 0.7, 0.02, 0.02});
  clean.s = times_of_frames({0, 0.3, 0.01, 0.01});
  const Tensor start = concat({first(given), narrow(narrow(in.x, 0, 0, 1), 2, 1, 1)}, 2);
  clean.x = concat({start, narrow(in.x, 0, 1, 1)}, 0);
  BOOST_TEST(test::distance(narrow(clean.run(*model), 2, 1, 1), narrow(F, 2, 1, 1)) < 1e-12);
  // Without known frames, `given` has no influence.
  Inputs nothing;
  nothing.c.given = given;
  nothing.c.known = times_of_frames({0, 0, 0, 0});
  BOOST_TEST(test::distance(nothing.run(*model), Inputs().run(*model)) < 1e-12);
}

/// A factor on times is the same model at scaled times.
BOOST_AUTO_TEST_CASE(times_are_scaled_before_they_are_embedded) {
  DiTConfig c = small();
  const auto plain = trained(c);
  c.time_scale = 8;
  VideoDiT scaled(kScope, c);
  scaled.load_state(plain->state());
  Inputs in, eighth;
  eighth.t = in.t / 8.0;
  eighth.s = in.s / 8.0;
  BOOST_TEST(test::distance(in.run(*plain), eighth.run(scaled)) < 1e-13);
}

BOOST_AUTO_TEST_CASE(the_null_class_is_the_last) {
  const auto model = trained(small());
  Inputs none, null;
  none.c.labels = Tensor();
  null.c.labels = Tensor::from(std::vector<std::int64_t>{3, 3}, {2});
  BOOST_TEST(test::distance(none.run(*model), null.run(*model)) == 0);
}

BOOST_AUTO_TEST_CASE(samples_are_independent) {
  const auto model = trained(small());
  const Inputs in;
  const auto first = [](const Tensor& t) { return contiguous(narrow(t, 0, 0, 1)); };
  const Condition alone{.labels = first(in.c.labels)};
  const Tensor y = (*model)(first(in.x), first(in.t), first(in.s), alone);
  BOOST_TEST(test::distance(y, first(in.run(*model))) < 1e-12);
}

BOOST_AUTO_TEST_CASE(keeping_all_tokens_equals_the_dense_pass) {
  const auto model = trained(small());
  Inputs in, kept;
  kept.c.kept = ids_of({0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7});
  BOOST_TEST(test::distance(in.run(*model), kept.run(*model)) < 1e-12);
}

/// One model runs clips of other sizes as a model built for them does.
BOOST_AUTO_TEST_CASE(clips_of_other_sizes_have_their_own_layout) {
  const auto model = trained(small());
  for (const Shape& clip : {Shape{3, 1, 4, 4}, Shape{3, 4, 4, 4}, Shape{3, 2, 6, 8}}) {
    VideoDiT same(kScope, small().for_clips(clip));
    same.load_state(model->state());
    Inputs in;
    in.x = test::values({2, clip[0], clip[1], clip[2], clip[3]}, 1);
    BOOST_TEST(test::distance(in.run(*model), in.run(same)) == 0);
  }
  DiTConfig table = small();
  table.position_table = true;
  Inputs in;
  in.x = test::values({2, 3, 1, 4, 4}, 1);
  BOOST_CHECK_THROW(static_cast<void>(in.run(*trained(table))), ShapeError);
}

BOOST_AUTO_TEST_CASE(a_position_table_starts_at_its_scale) {
  DiTConfig config = small();
  config.position_table = true;
  config.position_scale = 0.5;
  const VideoDiT model(kScope, config);
  for (const auto& [name, p] : model.parameters()) {
    if (name != "positions") continue;
    const double variance = mean(square(p)).item();
    const auto count = static_cast<double>(p.count());
    BOOST_TEST(std::abs(variance / 0.25 - 1) < 5 * std::sqrt(2 / count));
    return;
  }
  BOOST_ERROR("no position table");
}

BOOST_AUTO_TEST_CASE(the_weak_path_skips_the_middle) {
  const auto model = trained(small());
  Inputs in;
  in.c.path = Path::kWeak;
  const Tensor before = in.run(*model);
  backward(sum(square(before)));
  for (auto [name, p] : model->parameters()) {
    const bool middle = name.starts_with("middle.");
    BOOST_TEST(p.grad().defined() != middle, name);
    if (middle) p.assign(Tensor::zeros(p.shape(), DType::kF64));
  }
  BOOST_TEST(test::distance(before, in.run(*model)) == 0);
}

struct Variant {
  const char* name;
  void (*change)(DiTConfig&, Inputs&);
};
std::ostream& operator<<(std::ostream& out, const Variant& variant) {
  return out << variant.name;
}

void with_context(DiTConfig& c, Inputs& in) {
  c.context_dim = 5;
  in.c.context = test::values({2, 3, 5}, 8);
}

const Variant kVariants[] = {
    {"glga", [](DiTConfig&, Inputs&) {}},
    {"softmax", [](DiTConfig& c, Inputs&) { c.attention = AttentionKind::kSoftmax; }},
    {"interleaved", [](DiTConfig& c, Inputs&) { c.softmax_every = 1; }},
    {"data head", [](DiTConfig& c, Inputs&) { c.prediction = Prediction::kData; }},
    {"positions", [](DiTConfig& c, Inputs&) { c.position_table = true; }},
    {"end as gap", [](DiTConfig& c, Inputs&) { c.gap = GapInput::kEnd; }},
    {"no residual", [](DiTConfig& c, Inputs&) { c.long_residual = false; }},
    {"kept tokens",
     [](DiTConfig&, Inputs& in) {
       in.c.kept = ids_of({0, 3, 5, 2, 3, 7});
     }},
    {"Sana on kept tokens",
     [](DiTConfig& c, Inputs& in) {
       c.attention = AttentionKind::kSana;
       c.feed_forward = FeedForwardKind::kMix;
       in.c.kept = ids_of({0, 3, 5, 2, 3, 7});
     }},
    {"SLA",
     [](DiTConfig& c, Inputs&) {
       c.attention = AttentionKind::kSla;
       c.sparse_block = 3;
     }},
    {"VSA on kept tokens",
     [](DiTConfig& c, Inputs& in) {
       c.attention = AttentionKind::kVsa;
       c.sparse_block = 1;
       in.c.kept = ids_of({0, 3, 5, 2, 3, 7});
     }},
    {"times of frames",
     [](DiTConfig& c, Inputs& in) {
       c.guidance_embedding = true;
       in.t = times_of_frames({0.7, 0.2, 0.02, 0.5});
       in.s = times_of_frames({0.3, 0.1, 0.01, 0.4});
     }},
    {"given frames and kept tokens",
     [](DiTConfig&, Inputs& in) {
       in.c.given = test::values({2, 3, 2, 4, 4}, 4);
       in.c.known = times_of_frames({1, 0, 0, 1});
       in.c.kept = ids_of({0, 3, 5, 2, 3, 7});
     }},
    {"text", with_context},
    {"recomputed text",
     [](DiTConfig& c, Inputs& in) {
       with_context(c, in);
       c.recompute = true;
     }},
};

BOOST_DATA_TEST_CASE(gradients_match_finite_differences, boost::unit_test::data::make(kVariants),
                     variant) {
  DiTConfig c = small();
  Inputs in;
  variant.change(c, in);
  const auto model = trained(c);
  in.x.set_requires_grad();
  NamedTensors leaves = model->parameters();
  leaves.emplace_back("x", in.x);
  const Tensor weights = test::values(in.x.shape(), 9);
  const auto worst = test::worst_gradient(leaves, [&] { return sum(in.run(*model) * weights); });
  BOOST_TEST(worst.relative() < 1e-4,
             worst.name << ": " << worst.analytic << " against " << worst.numeric);
}

BOOST_AUTO_TEST_CASE(recomputing_gives_the_same_gradients_and_keeps_less) {
  DiTConfig c = small();
  const Inputs in;
  const auto gradients = [&] {
    const auto model = trained(c);
    const std::size_t before = default_device()->memory().in_use;
    const Tensor y = in.run(*model);
    const std::size_t held = default_device()->memory().in_use - before;
    backward(sum(square(y)));
    std::vector<Tensor> all;
    for (auto& [name, p] : model->parameters()) all.push_back(p.grad());
    return std::pair(all, held);
  };
  const auto [kept, kept_bytes] = gradients();
  c.recompute = true;
  const auto [recomputed, recomputed_bytes] = gradients();
  for (std::size_t i = 0; i < kept.size(); ++i) {
    BOOST_TEST(test::distance(kept[i], recomputed[i]) < 1e-12 * (1 + test::largest(kept[i])));
  }
  BOOST_TEST(recomputed_bytes < kept_bytes / 2);
}

BOOST_AUTO_TEST_CASE(f32_follows_f64) {
  const DiTConfig c = small();
  const Inputs in;
  const auto reference = trained(c);
  VideoDiT model(Scope({.seed = 1}), c);
  model.load_state(reference->state());
  const auto f32 = [](const Tensor& t) { return cast(t, DType::kF32); };
  const Tensor y = model(f32(in.x), f32(in.t), f32(in.s), in.c);
  BOOST_TEST(test::distance(cast(y, DType::kF64), in.run(*reference)) < 1e-5);
}

BOOST_AUTO_TEST_CASE(a_prepared_model_compiles_nothing_later) {
  const DevicePtr before = default_device();
  set_default_device(make_cpu_device({.isa = jit::Isa::kBaseline, .threads = 1}));
  DiTConfig c = small();
  c.dim = 32;
  c.heads = 2;
  c.middle = 2;
  c.softmax_every = 2;
  c.context_dim = 5;
  {
    const VideoDiT model(Scope({.seed = 1}, DType::kF64), c);
    model.prepare(true, 0.5);
    const jit::Runtime& runtime = default_device()->runtime();
    const std::uint64_t compiled = runtime.stats().compiled;
    BOOST_TEST(compiled >= 10U);
    for (const bool drop : {false, true}) {
      Inputs in;
      in.c.context = test::values({2, 3, 5}, 7);
      if (drop) in.c.kept = ids_of({0, 1, 4, 5, 1, 2, 4, 7});
      backward(sum(in.run(model)));
      const NoGrad off;
      static_cast<void>(in.run(model));
    }
    BOOST_TEST(runtime.stats().compiled == compiled);
    BOOST_TEST(runtime.stats().failed == 0U);
  }
  set_default_device(before);
}

BOOST_AUTO_TEST_CASE(wrong_inputs_are_refused) {
  const VideoDiT model(kScope, small());
  const auto refuses = [&](auto change) {
    Inputs in;
    change(in);
    BOOST_CHECK_THROW(static_cast<void>(in.run(model)), Error);
  };
  refuses([](Inputs& i) { i.x = test::values({2, 3, 2, 4, 5}, 1); });
  refuses([](Inputs& i) { i.x = test::values({2, 1, 2, 4, 4}, 1); });
  refuses([](Inputs& i) { i.x = test::values({2, 3, 4, 4}, 1); });
  refuses([](Inputs& i) { i.t = test::values({3}, 1); });
  refuses([](Inputs& i) { i.s = test::values({2, 1}, 1); });
  refuses([](Inputs& i) { i.t = test::values({2, 2}, 1); });  // s has one time per sample
  refuses([](Inputs& i) { i.t = i.s = test::values({2, 3}, 1); });
  refuses([](Inputs& i) { i.c.given = i.x; });  // which frames are known?
  refuses([](Inputs& i) {
    i.c.given = i.x;
    i.c.known = test::values({2, 3}, 1);
  });
  refuses([](Inputs& i) { i.c.labels = Tensor::from(std::vector<std::int64_t>{4, 0}, {2}); });
  refuses([](Inputs& i) { i.c.labels = Tensor::from(std::vector<std::int64_t>{1}, {1}); });

  DiTConfig plain = small();
  plain.long_residual = false;
  Inputs weak;
  weak.c.path = Path::kWeak;
  BOOST_CHECK_THROW(static_cast<void>(weak.run(VideoDiT(kScope, plain))), InvalidArgument);
  DiTConfig text = small();
  text.context_dim = 5;
  BOOST_CHECK_THROW(static_cast<void>(Inputs().run(VideoDiT(kScope, text))), InvalidArgument);
}

}  // namespace
}  // namespace eflow::nn
