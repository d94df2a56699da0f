// [data] and [exact]: the clips that a run trains on.

#include "eflow/trainer/config/sections.hpp"

namespace eflow::trainer {
namespace {

/// "none" disables the exact flow, any other name enables it with that kind.
NamedValue exact_kind(ExactConfig* c) {
  NamedValue kind = named(&c->flow.kind, soflow::kExactNames);
  kind.get = [c, name = kind.get] { return c->enabled ? name() : "none"; };
  kind.set = [c, set = kind.set](const std::string& name) {
    c->enabled = name != "none";
    set(name);
  };
  kind.names.insert(kind.names.begin(), "none");
  return kind;
}

}  // namespace

std::vector<Option> data_section(DataConfig& c) {
  return {
      {"data.dir", &c.dir, "Folder of a packed data set (eflow data pack, eflow data synth)."},
      {"data.eval", &c.eval,
       "Held-out clips: 'split' withholds clips of data.dir, the same share of each class; 'last' "
       "withholds its last clips; 'none'; or another folder."},
      {"data.eval_share", &c.eval_share, between(0.001, 0.5),
       "Share of data.dir that 'split' and 'last' withhold from training."},
      {"data.buckets", &c.buckets,
       "Clips of other lengths or sizes that take a share of every batch: 'DIR[@FRAMES]:SHARE, "
       "...'; images:0.1 makes a tenth of each batch clips of the data set 'images', @first:0.1 "
       "the first frames of data.dir's clips, @1:0.1 any single frames of them."},
      {"data.on_error", &c.on_error,
       "Clips that are damaged: 'error' ends the run; 'skip:N' lets the next intact clips take the "
       "places of at most N; 'quarantine' of any number. RUN/quarantine.jsonl lists them. A file "
       "that cannot be read always ends the run."},
      {"data.context_length", &c.context_length, between(0, 65536), "tokens",
       "Length to which zero rows extend a clip's text; 0: as the data set says."},
      {"data.clip", &c.clip,
       "CxTxHxW of the clips that --dry-run and bench step assume if data.dir is empty."},
  };
}

std::vector<Option> exact_section(ExactConfig& c) {
  return {
      {"exact.kind", exact_kind(&c),
       "Train on clips of an exactly known flow, generated on the fly, instead of data.dir."},
      {"exact.channels", &c.flow.clip[0], between(1, 64), "Channels of an exact clip."},
      {"exact.frames", &c.flow.clip[1], between(1, 256), "Frames of an exact clip."},
      {"exact.height", &c.flow.clip[2], between(1, 256), "Height of an exact clip."},
      {"exact.width", &c.flow.clip[3], between(1, 256), "Width of an exact clip."},
      {"exact.decay", &c.flow.decay, between(0, 8),
       "Variance of a cosine coordinate k: (1 + |k|^2)^-decay, 1 on average."},
      {"exact.own", &c.flow.own, between(1e-6, 1e6),
       "guided: variance of a coordinate around its mean."},
      {"exact.spread", &c.flow.spread, between(1e-6, 1e6),
       "guided: variance of the means that the condition gives."},
      {"exact.seed", &c.flow.seed, between(0, 1e15), "Seed of the distribution and its clips."},
  };
}

}  // namespace eflow::trainer
