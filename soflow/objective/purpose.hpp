#pragma once
// Random streams of a training step, distinguished by RandomKey::purpose. A resumed run must repeat
// them, so append values and never renumber. nn::kInitPurpose is 1.

#include <cstdint>

namespace eflow::soflow {

enum Purpose : std::uint32_t {
  kNoise = 16,         ///< x1 of a training sample
  kTimeT = 17,         ///< t
  kTimeS = 18,         ///< s
  kLabelDrop = 19,     ///< whether a sample trains unconditioned
  kSampleNoise = 20,   ///< x1 of a generated sample
  kRenoise = 21,       ///< z of the re-noising sampler; `step` is the sampler's step
  kHeldOutNoise = 22,  ///< x1 of the held-out error
  kHeldOutTime = 23,   ///< t of the held-out error
  kTokenDrop = 24,     ///< tokens kept for the middle blocks
  kPathDrop = 25,      ///< whether a sample trains the weak path
  kScale = 26,         ///< guidance scale w
  kJump = 27,          ///< t, l and s of mean-velocity additivity
  kExactData = 28,     ///< clips of an exactly known flow; `step` is the stream within a clip
  kExactNoise = 29,    ///< x1 of the exact errors
  // On-policy distillation. The first four are the student's rollout and the point at which the
  // scores are evaluated, the last four the fake score's own rollout and training point. All chunks
  // of a clip share them.
  kRollOut = 30,
  kRollOutNoise = 31,
  kScoreTime = 32,
  kScoreNoise = 33,
  kFakeRollOut = 34,
  kFakeRollOutNoise = 35,
  kFakeTime = 36,
  kFakeNoise = 37,
  kGivenFrames = 38,  ///< number of first frames that a sample is given
};

}  // namespace eflow::soflow
