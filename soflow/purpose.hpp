#pragma once
// The streams of random numbers that one step draws, told apart by RandomKey::purpose. Part of what
// a resumed run must repeat: append, never reorder. nn::kInitPurpose is 1.

#include <cstdint>

namespace eflow::soflow {

enum Purpose : std::uint32_t {
  kNoise = 16,         ///< x1 of a training sample
  kTimeT = 17,         ///< t
  kTimeS = 18,         ///< s
  kLabelDrop = 19,     ///< whether a sample loses its label
  kSampleNoise = 20,   ///< x1 of a generated sample
  kRenoise = 21,       ///< z of the re-noising sampler, `step` is the step of the sampler
  kHeldOutNoise = 22,  ///< x1 of the held-out error
  kHeldOutTime = 23,   ///< t of the held-out error
  kTokenDrop = 24,     ///< which tokens the middle sees
  kPathDrop = 25,      ///< whether a sample trains the weak path
  kScale = 26,         ///< the guidance scale w
  kJump = 27,          ///< t, l and s of mean-velocity additivity
  kExactData = 28,     ///< clips of an exactly known flow, `step` is the clip
  kExactNoise = 29,    ///< x1 of the exact errors
  // On-policy distillation: the student's rollout and where the scores look at it, then the fake
  // score's rollout and where it learns. Streams of chunk c of a clip are these + 100 c.
  kRollOut = 30,
  kRollOutNoise = 31,
  kScoreTime = 32,
  kScoreNoise = 33,
  kFakeRollOut = 34,
  kFakeRollOutNoise = 35,
  kFakeTime = 36,
  kFakeNoise = 37,
};

}  // namespace eflow::soflow
