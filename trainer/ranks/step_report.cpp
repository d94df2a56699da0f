#include "eflow/trainer/ranks/step_report.hpp"

#include <cstring>
#include <numeric>
#include <span>
#include <type_traits>

namespace eflow::trainer {
namespace {

template <class T>
void write(const std::vector<T>& values, std::string* text) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::uint64_t count = values.size();
  text->append(reinterpret_cast<const char*>(&count), sizeof count);
  text->append(reinterpret_cast<const char*>(values.data()), count * sizeof(T));
}

template <class T>
std::vector<T> read(std::string_view* text) {
  std::uint64_t count = 0;
  EFLOW_ASSERT(text->size() >= sizeof count);
  std::memcpy(&count, text->data(), sizeof count);
  text->remove_prefix(sizeof count);
  EFLOW_ASSERT(text->size() >= count * sizeof(T));
  std::vector<T> values(count);
  if (count > 0) std::memcpy(values.data(), text->data(), count * sizeof(T));
  text->remove_prefix(count * sizeof(T));
  return values;
}

template <class T>
void extend(std::vector<T>* values, const std::vector<T>& more) {
  values->insert(values->end(), more.begin(), more.end());
}

}  // namespace

void StepReport::append(const StepReport& other) {
  extend(&losses, other.losses);
  extend(&ids, other.ids);
  extend(&samples, other.samples);
}

double StepReport::loss() const {
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

StepReport merged(const StepReport& own, comm::Communicator* ranks, std::int64_t step) {
  if (ranks->size() == 1) return own;
  std::string text;
  write(own.losses, &text);
  write(own.ids, &text);
  write(own.samples, &text);
  StepReport all;
  for (const std::string& other : ranks->gather(text, {"losses", step})) {
    std::string_view rest = other;
    StepReport report;
    report.losses = read<double>(&rest);
    report.ids = read<std::int64_t>(&rest);
    report.samples = read<soflow::SampleRecord>(&rest);
    all.append(report);
  }
  return all;
}

}  // namespace eflow::trainer
