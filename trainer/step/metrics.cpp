#include "eflow/trainer/step/metrics.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {
namespace {

/// The step of a complete line, or nothing if the line is not a metrics object.
std::optional<std::int64_t> step_of(std::string_view line) {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object() || !object.contains("step")) return std::nullopt;
  const auto& step = object["step"];
  if (!step.is_number_integer()) return std::nullopt;
  return step.get<std::int64_t>();
}

/// Size in bytes of the lines up to last_step. Throws CorruptData if their steps are not
/// consecutive. A file that is empty or begins after step 1 belongs to a run that started from
/// another run's checkpoint.
std::size_t bytes_up_to(const std::string& text, std::int64_t last_step,
                        const std::filesystem::path& path) {
  std::size_t begin = 0;
  std::int64_t expected =
      text.empty() ? last_step + 1 : step_of(text.substr(0, text.find('\n'))).value_or(1);
  for (; expected <= last_step; ++expected) {
    const auto end = text.find('\n', begin);
    const bool complete = end != std::string::npos;
    const auto step =
        complete ? step_of(std::string_view(text).substr(begin, end - begin)) : std::nullopt;
    if (step != expected) {
      throw CorruptData(str("[metrics] ", path.string(), ": at byte ", begin, ": expected step ",
                            expected, " of ", last_step, ", found ",
                            step ? str("step ", *step) : std::string("no metrics line"),
                            "; move the file away to continue without it"));
    }
    begin = end + 1;
  }
  return begin;
}

/// JSON has no inf or NaN: they become null.
nlohmann::ordered_json number(double value) {
  if (!std::isfinite(value)) return nullptr;
  return value;
}

}  // namespace

std::string to_json_line(const StepMetrics& m) {
  nlohmann::ordered_json line;
  line["step"] = m.step;
  line["loss"] = number(m.loss);
  line["loss_fm"] = number(m.loss_fm);
  line["loss_scm"] = number(m.loss_scm);
  line["fm_mse"] = number(m.fm_mse);
  line["scm_mse"] = number(m.scm_mse);
  line["loss_mva"] = number(m.loss_mva);
  line["mva_mse"] = number(m.mva_mse);
  line["weak_mse"] = number(m.weak_mse);
  line["matching_mse"] = number(m.matching_mse);
  line["fake_mse"] = number(m.fake_mse);
  line["scm_drift"] = number(m.scm_drift);
  if (m.eval_mse) line["eval_mse"] = number(*m.eval_mse);
  line["grad_norm"] = number(m.grad_norm);
  if (m.skipped > 0) line["skipped"] = m.skipped;
  if (m.damaged > 0) line["replaced"] = m.replaced, line["damaged"] = m.damaged;
  line["lr"] = number(m.lr);
  line["samples_per_s"] = number(m.samples_per_s);
  line["step_s"] = number(m.step_s);
  line["data_wait_s"] = number(m.data_wait_s);
  if (m.comm_s) line["comm_s"] = number(*m.comm_s);
  if (m.comm_hidden_s) line["comm_hidden_s"] = number(*m.comm_hidden_s);
  line["tokens"] = m.tokens;
  line["kept_tokens"] = m.kept_tokens;
  line["mfu"] = number(m.mfu);
  line["ids_hash"] = m.ids_hash;
  return line.dump();
}

MetricsWriter::MetricsWriter(std::filesystem::path path, std::int64_t step)
    : path_(std::move(path)) {
  file_ = FileDescriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file_.valid()) throw_errno("open", path_.string());
  if (step > 0) size_ = bytes_up_to(read_file(path_, 1ull << 36), step, path_);
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0)
    throw_errno("truncate", path_.string());
}

void MetricsWriter::append(const StepMetrics& metrics) {
  append_lines(to_json_line(metrics) + "\n");
}

void MetricsWriter::append_lines(std::string_view lines) {
  pending_ += lines;
  write_pending();
}

void MetricsWriter::write_pending() {
  if (pending_.empty()) return;
  if (::lseek(file_.get(), static_cast<off_t>(size_), SEEK_SET) < 0)
    throw_errno("seek", path_.string());
  try {
    write_all(file_, path_, std::as_bytes(std::span(pending_)));
  } catch (const IoError&) {
    // No torn line: readers see complete ones only. If this fails, the next attempt overwrites it.
    static_cast<void>(!::ftruncate(file_.get(), static_cast<off_t>(size_)));
    throw;
  }
  size_ += pending_.size();
  pending_.clear();
}

FileDescriptor MetricsWriter::flush() {
  write_pending();
  FileDescriptor again(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0));
  if (!again.valid()) throw_errno("duplicate the descriptor of", path_.string());
  return again;
}

bool MetricsWriter::is_at(const std::filesystem::path& path) const {
  struct stat named {
  }, opened{};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(file_.get(), &opened) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

void MetricsWriter::move_to(const std::filesystem::path& path) {
  std::string lines(size_, '\0');
  read_at(file_, path_, 0, std::as_writable_bytes(std::span(lines.data(), lines.size())));
  write_file_atomically(path, lines);
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid()) throw_errno("open", path.string());
  file_ = std::move(file);
  path_ = path;
  write_pending();
}

}  // namespace eflow::trainer
