#include "eflow/trainer/program/clip_progress.hpp"

#include <algorithm>
#include <cstdio>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/program/signals.hpp"

namespace eflow::program {

void ClipProgress::operator()(std::int64_t done, std::int64_t total) {
  if (!bar_)
    bar_ = std::make_shared<trainer::Progress>(trainer::Console::errors(), what_, total, 0,
                                               std::max<std::int64_t>(1, total / 10));
  bar_->update(done, "clips");
  if (stop_ && stop_requested()) stop_->request_stop();
}

int print_report(const io::PackReport& report, const std::string& out) {
  if (!report.finished) {
    std::printf("stopped; run the same command again to continue\n");
    return trainer::kExitSaved;
  }
  if (report.continued_from > 0)
    std::printf("continued after clip %lld\n", static_cast<long long>(report.continued_from));
  if (report.guessed_range) {
    std::printf(
        "float values taken for pixels in [-1, 1]; --range says otherwise (unit: [0, 1], "
        "any: latents)\n");
  }
  const std::string layout = report.layout.empty() ? "" : ", layout " + report.layout;
  std::printf("%s: %s\n", out.c_str(),
              str(report.already_there ? "already complete, checked, "
                  : report.repaired    ? "repaired, "
                                       : "",
                  report.clips, " clips ", report.spec.shape, " ", report.spec.dtype, ", ",
                  report.spec.class_count, " classes, ", report.stored_bytes / 1024, " KiB", layout)
                  .c_str());
  return 0;
}

}  // namespace eflow::program
