// Chunk-causal attention against masked attention over all pairs, and streaming chunk by chunk
// against one pass over noisy and clean clips.
#define BOOST_TEST_MODULE chunk_attention
#include "eflow/nn/attention/chunk_attention.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/nn/dit/clip_stream.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/tests/support/model_check.hpp"
#include "eflow/tests/support/small_dit.hpp"

namespace eflow::nn {

// Boost prints the values of data test cases.
static std::ostream& operator<<(std::ostream& out, AttentionKind kind) {
  return out << name_of(kind);
}

namespace {

const Scope kScope({.seed = 1}, DType::kF64);
constexpr std::int64_t kTokens = 9, kHeads = 2, kHead = 4;
const std::vector<std::int64_t> kChunks = {2, 4, 3};

Tensor part(const Tensor& t, std::int64_t begin, std::int64_t length) {
  return narrow(t, 1, begin, length);
}

struct Inputs {
  Tensor q = test::values({2, kTokens, kHeads, kHead}, 1),
         k = test::values({2, kTokens, kHeads, kHead}, 2),
         v = test::values({2, kTokens, kHeads, kHead}, 3);
  Tensor gates = test::values({2, kTokens, 2, 1, 1}, 4, 2);
  Tensor global_weight = test::values({kHeads * kHead}, 5),
         local_weight = test::values({kHeads * kHead}, 6);

  [[nodiscard]] Tensor by_chunks(const GlgaOptions& options) const {
    ChunkMemory memory;
    std::vector<Tensor> out;
    std::int64_t begin = 0;
    for (const std::int64_t n : kChunks) {
      const ChunkInputs in{part(q, begin, n),     part(k, begin, n), part(v, begin, n),
                           part(gates, begin, n), global_weight,     local_weight};
      out.push_back(chunk_attention(in, memory, options));
      memory = remembered(memory, in.k, in.v, options);
      if (options.local == GlgaOptions::Local::kWindow && options.radius > 0)
        BOOST_TEST(memory.keys.size(1) <= options.radius);
      begin += n;
    }
    return concat(out, 1);
  }

  /// The same attention over all pairs, with later chunks masked.
  [[nodiscard]] Tensor by_mask(const GlgaOptions& options) const {
    std::vector<double> allowed, hidden, visible;
    std::vector<std::int64_t> chunk_of;
    for (std::size_t c = 0; c < kChunks.size(); ++c)
      chunk_of.insert(chunk_of.end(), static_cast<std::size_t>(kChunks[c]),
                      static_cast<std::int64_t>(c));
    for (std::size_t i = 0; i < kTokens; ++i) {
      double count = 0;
      for (std::size_t j = 0; j < kTokens; ++j) {
        const bool before = chunk_of[j] <= chunk_of[i];
        const bool near = options.local == GlgaOptions::Local::kFull ||
                          std::abs(static_cast<double>(i) - static_cast<double>(j)) <=
                              static_cast<double>(options.radius);
        allowed.push_back(before ? 1 : 0);
        hidden.push_back(before && near ? 0 : -1e30);
        count += before;
      }
      visible.push_back(1 / count);
    }
    const auto by_head = [](const Tensor& t) { return transpose(t, 1, 2); };
    const Tensor scores = matmul(by_head(q), permute(k, {0, 2, 3, 1}));
    const Shape pairs{1, 1, kTokens, kTokens};
    const auto norm = [&](const Tensor& x, const Tensor& weight) {
      const Shape rows{2, kTokens, kHeads * kHead};
      return options.normed
                 ? reshape(rms_norm(reshape(x, rows), weight, kHeads, options.eps), x.shape())
                 : x;
    };
    const auto gate = [&](std::int64_t which) {
      return reshape(sigmoid(narrow(gates, 2, which, 1)), {2, kTokens, 1, 1});
    };
    Tensor y = Tensor::zeros(q.shape(), DType::kF64);
    if (options.global) {
      const Tensor weights =
          scores * Tensor::from(allowed, pairs) * Tensor::from(visible, {1, 1, kTokens, 1});
      y = y + gate(0) * norm(by_head(matmul(weights, by_head(v))), global_weight);
    }
    if (options.local != GlgaOptions::Local::kNone) {
      const Tensor weights =
          softmax(scores / std::sqrt(double(kHead)) + Tensor::from(hidden, pairs));
      y = y + gate(1) * norm(by_head(matmul(weights, by_head(v))), local_weight);
    }
    return y;
  }
};

const GlgaOptions kOptions[] = {
    {.radius = 3},
    {.radius = 0},
    {.global = false, .radius = 20},
    {.local = GlgaOptions::Local::kNone},
    {.local = GlgaOptions::Local::kFull, .global = false, .normed = false},
};

BOOST_AUTO_TEST_CASE(chunks_with_memory_equal_masked_attention) {
  const Inputs in;
  for (const GlgaOptions& options : kOptions)
    BOOST_TEST(test::distance(in.by_chunks(options), in.by_mask(options)) < 1e-12);
}

BOOST_AUTO_TEST_CASE(gradients_through_the_memory_match_finite_differences) {
  for (const GlgaOptions& options : kOptions) {
    Inputs in;
    NamedTensors leaves;
    for (Tensor* t : {&in.q, &in.k, &in.v, &in.gates, &in.global_weight, &in.local_weight}) {
      t->set_requires_grad();
      leaves.emplace_back(str("input ", leaves.size()), *t);
    }
    const Tensor weights = test::values(in.q.shape(), 9);
    const auto worst =
        test::worst_gradient(leaves, [&] { return sum(in.by_chunks(options) * weights); });
    BOOST_TEST(worst.relative() < 1e-5,
               worst.name << ": " << worst.analytic << " against " << worst.numeric);
  }
}

BOOST_AUTO_TEST_CASE(the_first_frame_is_its_own_chunk) {
  BOOST_TEST(chunk_lengths(21, 3) == (std::vector<std::int64_t>{1, 3, 3, 3, 3, 3, 3, 2}),
             boost::test_tools::per_element());
  BOOST_TEST(chunk_lengths(1, 3) == (std::vector<std::int64_t>{1}),
             boost::test_tools::per_element());
  BOOST_CHECK_THROW(static_cast<void>(chunk_lengths(4, 0)), InvalidArgument);
}

// ---- networks
// ------------------------------------------------------------------------------------

/// 4 frames of 2 x 2 tokens in chunks of 1, 2 and 1.
DiTConfig small(AttentionKind kind) {
  DiTConfig c = test::small_dit(4);
  c.channels = 2, c.dim = 16;
  c.window_frames = 1.5;
  c.classes = 3;
  c.attention = kind;
  c.position_table = true;
  c.chunk_frames = 2;
  return c;
}

std::unique_ptr<VideoDiT> trained(const DiTConfig& config) {
  auto model = std::make_unique<VideoDiT>(kScope, config);
  test::perturb(model->parameters(), 0.2);
  return model;
}

struct Clips {
  Tensor noisy = test::values({2, 2, 4, 4, 4}, 1), clean = test::values({2, 2, 4, 4, 4}, 2);
  Tensor t = Tensor::from(std::vector<double>{0.7, 0.4}, {2}),
         s = Tensor::from(std::vector<double>{0.3, 0.1}, {2});
  Condition condition;
  Clips() { condition.labels = Tensor::from(std::vector<std::int64_t>{2, 0}, {2}); }
  [[nodiscard]] Tensor at_once(const VideoDiT& model) const {
    Condition causal = condition;
    causal.clean = clean;
    return model(noisy, t, s, causal);
  }
  /// One chunk after another; each sees the clean chunks before it.
  [[nodiscard]] Tensor streamed(const VideoDiT& model) const {
    ClipStream stream(model, condition);
    std::vector<Tensor> out;
    while (!stream.done()) {
      const std::int64_t begin = stream.first_frame(), frames = stream.next_shape(2)[2];
      out.push_back(stream(narrow(noisy, 2, begin, frames), t, s));
      stream.remember(narrow(clean, 2, begin, frames));
    }
    return concat(out, 2);
  }
};

const AttentionKind kKinds[] = {AttentionKind::kSoftmax, AttentionKind::kWindow,
                                AttentionKind::kLinear, AttentionKind::kSum, AttentionKind::kGated};

BOOST_DATA_TEST_CASE(a_stream_equals_one_pass_over_all_chunks, boost::unit_test::data::make(kKinds),
                     kind) {
  const auto model = trained(small(kind));
  const Clips clips;
  BOOST_TEST(test::distance(clips.streamed(*model), clips.at_once(*model)) < 1e-12);
}

BOOST_AUTO_TEST_CASE(a_stream_with_softmax_blocks_and_mix_ffn_equals_one_pass) {
  DiTConfig c = small(AttentionKind::kGated);
  c.softmax_every = 1;
  c.feed_forward = FeedForwardKind::kMix;
  c.context_dim = 5;
  c.guidance_embedding = true;
  const auto model = trained(c);
  Clips clips;
  clips.condition.context = test::values({2, 3, 5}, 8);
  clips.condition.guidance = Tensor::from(std::vector<double>{2, 3}, {2});
  BOOST_TEST(test::distance(clips.streamed(*model), clips.at_once(*model)) < 1e-12);
}

BOOST_AUTO_TEST_CASE(no_chunk_depends_on_later_chunks) {
  const auto model = trained(small(AttentionKind::kGated));
  const Clips clips;
  Clips other;
  other.clean = concat({narrow(clips.clean, 2, 0, 1), test::values({2, 2, 3, 4, 4}, 7)}, 2);
  other.noisy = concat({narrow(clips.noisy, 2, 0, 3), test::values({2, 2, 1, 4, 4}, 8)}, 2);
  const Tensor a = clips.at_once(*model), b = other.at_once(*model);
  const auto moved = [&](std::int64_t begin, std::int64_t frames) {
    return test::distance(narrow(a, 2, begin, frames), narrow(b, 2, begin, frames));
  };
  // The second chunk sees only the clean first frame, not its own clean copy.
  BOOST_TEST(moved(0, 3) < 1e-12);
  BOOST_TEST(moved(3, 1) > 1e-4);
}

BOOST_AUTO_TEST_CASE(gradients_of_a_causal_pass_match_finite_differences) {
  for (const bool recompute : {false, true}) {
    DiTConfig c = small(AttentionKind::kGated);
    c.recompute = recompute;
    const auto model = trained(c);
    Clips clips;
    clips.noisy.set_requires_grad();
    clips.clean.set_requires_grad();
    NamedTensors leaves = model->parameters();
    leaves.emplace_back("noisy", clips.noisy);
    leaves.emplace_back("clean", clips.clean);
    const Tensor weights = test::values(clips.noisy.shape(), 9);
    const auto worst =
        test::worst_gradient(leaves, [&] { return sum(clips.at_once(*model) * weights); });
    BOOST_TEST(worst.relative() < 1e-4,
               worst.name << ": " << worst.analytic << " against " << worst.numeric);
  }
}

BOOST_AUTO_TEST_CASE(models_that_are_not_chunk_causal_are_refused) {
  DiTConfig c = small(AttentionKind::kSana);
  BOOST_CHECK_THROW(check(c), InvalidArgument);
  c = small(AttentionKind::kGated);
  c.chunk_frames = 0;
  const auto whole = trained(c);
  const Clips clips;
  BOOST_CHECK_THROW(static_cast<void>(clips.at_once(*whole)), InvalidArgument);
  BOOST_CHECK_THROW(ClipStream(*whole, {}), InvalidArgument);
  const auto model = trained(small(AttentionKind::kGated));
  Clips dropped;
  dropped.condition.kept = Tensor::from(std::vector<std::int64_t>{0, 1, 0, 1}, {2, 2});
  BOOST_CHECK_THROW(static_cast<void>(dropped.at_once(*model)), InvalidArgument);
  ClipStream stream(*model, {});
  BOOST_CHECK_THROW(static_cast<void>(stream(clips.noisy, clips.t, clips.s)), ShapeError);
}

}  // namespace
}  // namespace eflow::nn
