// Samples clips from a run of `eflow train`: 010_sample RUN OUT_SHEET.png OUT_CLIPS.webp
#include "eflow/trainer/run/preview.hpp"

int main(int, char** argv) {
  using namespace eflow::trainer;
  const Generator generator = Generator::load(argv[1]);
  const DataInfo& data = generator.info().data;
  SampleRequest request;
  request.labels = cycle_labels(9, data.clips.classes);  // nine clips, labels 0, 1, 2, ...
  request.steps = 4;                                     // network evaluations per clip
  request.progress = [](auto done, auto total) { return done <= total; };  // false cancels
  const auto clips = generator.sample(request);                            // empty if cancelled
  if (clips) write_pictures(*clips, data.fps, argv[2], argv[3]);
}
