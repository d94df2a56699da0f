#include "eflow/trainer/saving/background_saver.hpp"

#include <algorithm>
#include <utility>

#include "eflow/io/checkpoint/divided_save.hpp"

namespace eflow::trainer {
namespace {

/// The first character of a report: a part is written, or it failed, for lack of space or otherwise.
constexpr char kWritten = '+', kNoSpace = '!', kFailed = '-';

std::string report_of(const std::exception_ptr& error) {
  std::string text;
  char mark = kFailed;
  try {
    std::rethrow_exception(error);
  } catch (const NoSpaceError& known) {
    mark = kNoSpace;
    text = known.what();
  } catch (const std::exception& known) {
    text = known.what();
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  return mark + text;
}

/// Throws if a rank's part failed.
void require_written(const std::vector<std::string>& reports, const comm::Communicator& ranks) {
  for (std::size_t r = 0; r < reports.size(); ++r) {
    const std::string text =
        str(ranks.name_of(static_cast<int>(r)), ": ", std::string_view(reports[r]).substr(1));
    if (reports[r][0] == kNoSpace) throw NoSpaceError(text);
    if (reports[r][0] == kFailed) throw IoError(text);
  }
}

}  // namespace

/// A save of several ranks that rank 0 will publish.
struct BackgroundSaver::Unpublished {
  Unpublished(std::int64_t of_step, SaveRequest what, std::uint64_t bytes, int ranks)
      : step(of_step),
        request(std::move(what)),
        save(request.store, step, bytes),
        reports(static_cast<std::size_t>(ranks)) {}

  [[nodiscard]] bool is_complete() const {
    return std::none_of(reports.begin(), reports.end(), [](const auto& r) { return r.empty(); });
  }

  std::int64_t step;
  SaveRequest request;
  io::DividedSave save;
  std::vector<std::string> reports;  ///< of each rank; empty: not yet
};

BackgroundSaver::BackgroundSaver(comm::Communicator* ranks) : ranks_(ranks) {}

BackgroundSaver::~BackgroundSaver() = default;

TensorBytes& BackgroundSaver::next_copy() {
  queue_.wait(copies_.size() - 1);  // saves end in order, so the older copy is free
  TensorBytes& copy = copies_[next_];
  next_ = (next_ + 1) % copies_.size();
  return copy;
}

void BackgroundSaver::save(std::int64_t step, const StateParts& state,
                           const std::function<SaveRequest()>& describe) {
  if (!is_alone()) {
    const std::filesystem::path folder = begin(step, state, describe);
    if (folder.empty()) return;
    write(step, state, folder,
          ranks_->is_first() ? unpublished_.back()->request.extras : std::vector<io::NamedBytes>());
    return;
  }
  SaveRequest request = describe();
  TensorBytes& copy = next_copy();
  copy.fill(state);
  tasks_.push_back(nullptr);
  queue_.push(step, [step, &copy, request = std::move(request)]() mutable {
    request.before();
    std::vector<io::NamedBytes> arrays = copy.arrays();
    arrays.insert(arrays.end(), request.extras.begin(), request.extras.end());
    return request.store.save(step, arrays, request.metadata);
  });
}

std::exception_ptr BackgroundSaver::try_save(std::int64_t step, const StateParts& state,
                                             const std::function<SaveRequest()>& describe) {
  try {
    save(step, state, describe);
  } catch (const comm::PeerError&) {
    throw;
  } catch (const std::exception&) {
    return std::current_exception();
  }
  return nullptr;
}

std::string BackgroundSaver::begin(std::int64_t step, const StateParts& state,
                                   const std::function<SaveRequest()>& describe) {
  std::exception_ptr problem;
  std::string folder;
  if (ranks_->is_first()) {
    try {
      SaveRequest request = describe();
      std::vector<io::NamedBytes> arrays = arrays_of(state);
      arrays.insert(arrays.end(), request.extras.begin(), request.extras.end());
      const std::uint64_t bytes = io::bound_of_save(arrays, ranks_->size(), request.metadata);
      unpublished_.push_back(
          std::make_unique<Unpublished>(step, std::move(request), bytes, ranks_->size()));
      folder = std::filesystem::absolute(unpublished_.back()->save.folder()).string();
    } catch (const std::exception&) {
      problem = std::current_exception();
    }
  }
  folder = ranks_->broadcast(folder, 0, {"folder of the checkpoint", step});
  if (problem) std::rethrow_exception(problem);
  return folder;
}

void BackgroundSaver::write(std::int64_t step, const StateParts& state,
                            const std::filesystem::path& folder,
                            std::vector<io::NamedBytes> extras) {
  const io::SavePart part{ranks_->rank(), ranks_->size()};
  auto report = std::make_shared<std::string>();
  TensorBytes& copy = next_copy();
  std::exception_ptr problem;
  try {
    copy.fill(state);
  } catch (const std::exception&) {  // this rank alone; the save as a whole then fails
    problem = std::current_exception();
  }
  tasks_.push_back(report);
  queue_.push(step, [=, &copy, extras = std::move(extras)] {
    if (problem) std::rethrow_exception(problem);
    std::vector<io::NamedBytes> arrays = copy.arrays();
    arrays.insert(arrays.end(), extras.begin(), extras.end());
    *report = io::write_save_part(folder, step, part, arrays);
    return folder;
  });
}

void BackgroundSaver::collect() {
  for (io::SaveOutcome& outcome : queue_.take_outcomes()) {
    const std::shared_ptr<std::string> report = std::move(tasks_.front());
    tasks_.pop_front();
    if (!report) {
      outcomes_.push_back(std::move(outcome));
    } else {
      reports_ += (outcome.error ? report_of(outcome.error) : kWritten + *report) + '\n';
    }
  }
}

std::string BackgroundSaver::take_reports() {
  collect();
  return std::exchange(reports_, "");
}

void BackgroundSaver::publish(const std::vector<std::string>& reports) {
  for (std::size_t r = 0; r < reports.size(); ++r) {
    std::size_t begin = 0;
    for (std::size_t end; (end = reports[r].find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      // A rank reports its parts in the order of the saves.
      const auto first =
          std::find_if(unpublished_.begin(), unpublished_.end(),
                       [r](const auto& save) { return save->reports.at(r).empty(); });
      EFLOW_ASSERT(first != unpublished_.end());
      (*first)->reports[r] = reports[r].substr(begin, end - begin);
    }
  }
  while (!unpublished_.empty() && unpublished_.front()->is_complete()) publish_first();
}

void BackgroundSaver::publish_first() {
  const std::int64_t step = unpublished_.front()->step;
  std::shared_ptr<Unpublished> first = std::move(unpublished_.front());
  unpublished_.pop_front();
  tasks_.push_back(nullptr);
  queue_.push(step, [first = std::move(first), ranks = ranks_]() mutable {
    const std::shared_ptr<Unpublished> save = std::move(first);  // ends with this call
    require_written(save->reports, *ranks);
    save->request.before();
    for (std::string& report : save->reports) report.erase(0, 1);
    return save->save.publish(save->reports, save->request.metadata);
  });
}

void BackgroundSaver::finish(std::int64_t step) {
  queue_.wait();
  if (is_alone()) return;
  const auto reports = ranks_->gather(take_reports(), {"parts of checkpoints", step});
  if (!ranks_->is_first()) return;
  publish(reports);
  queue_.wait();
}

std::vector<io::SaveOutcome> BackgroundSaver::take_outcomes() {
  collect();
  return std::exchange(outcomes_, {});
}

}  // namespace eflow::trainer
