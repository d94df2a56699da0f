#include "eflow/core/tensor/trace.hpp"

#include <iomanip>
#include <locale>
#include <sstream>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"

namespace eflow {
namespace {

/// Returns `text` as a JSON string; control characters become spaces.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out + '"';
}

/// Returns the metadata event that names a row of the viewer.
std::string named_row(int row, const char* name) {
  return str("{\"name\": \"thread_name\", \"ph\": \"M\", \"pid\": 0, \"tid\": ", row,
             ", \"args\": {\"name\": \"", name, "\"}}");
}

}  // namespace

void Trace::end() {
  EFLOW_ASSERT(!open_.empty());
  Span span = std::move(open_.back());
  open_.pop_back();
  span.seconds = now() - span.begin;
  spans_.push_back(std::move(span));
}

std::vector<std::string> Trace::kernel_names() const {
  std::vector<std::string> names;
  for (const Span& span : spans_) {
    if (span.row == kKernels) names.push_back(span.name);
  }
  return names;
}

std::map<std::string, std::int64_t> Trace::kernel_counts() const {
  std::map<std::string, std::int64_t> counts;
  for (const std::string& name : kernel_names()) ++counts[name];
  return counts;
}

void Trace::write(const std::filesystem::path& path) const {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::fixed << std::setprecision(3) << "{\"traceEvents\": [\n"
      << named_row(kRanges, "step") << ",\n"
      << named_row(kKernels, "kernels");
  for (const Span& span : spans_) {
    out << ",\n{\"name\": " << quoted(span.name)
        << ", \"ph\": \"X\", \"pid\": 0, \"tid\": " << span.row << ", \"ts\": " << span.begin * 1e6
        << ", \"dur\": " << span.seconds * 1e6 << '}';
  }
  out << "\n]}\n";
  write_file_atomically(path, out.str());
}

}  // namespace eflow
