#include "eflow/trainer/guard/damage.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string_view>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"

namespace eflow::trainer {
namespace {

constexpr std::array<std::string_view, 2> kPartNames = {"values", "captions"};

std::string line_of(const DamagedClip& found) {
  return nlohmann::ordered_json{{"data", found.data},
                                {"clip", found.clip},
                                {"part", kPartNames[static_cast<std::size_t>(found.part)]},
                                {"step", found.step},
                                {"error", found.error}}
             .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

/// Throws nlohmann::json::exception, or InvalidArgument for another part.
DamagedClip parse_line(const std::string& line) {
  const auto object = nlohmann::json::parse(line);
  const auto part = object.at("part").get<std::string>();
  const auto at = std::find(kPartNames.begin(), kPartNames.end(), part);
  if (at == kPartNames.end()) throw InvalidArgument("unknown part " + part);
  return {.data = object.at("data").get<std::string>(),
          .clip = object.at("clip").get<std::int64_t>(),
          .part = static_cast<ClipPart>(at - kPartNames.begin()),
          .error = object.at("error").get<std::string>(),
          .step = object.at("step").get<std::int64_t>()};
}

}  // namespace

DamagePolicy parse_on_error(const std::string& text) {
  constexpr std::string_view kSkip = "skip:";
  if (text == "error") return {0};
  if (text == "quarantine") return {std::numeric_limits<std::int64_t>::max()};
  DamagePolicy policy;
  const char* const end = text.data() + text.size();
  if (text.starts_with(kSkip)) {
    const auto [stop, code] = std::from_chars(text.data() + kSkip.size(), end, policy.most);
    if (code == std::errc() && stop == end && policy.most > 0) return policy;
  }
  throw InvalidArgument(
      str("data.on_error: expected error, skip:N with a number N of clips, such as skip:10, or "
          "quarantine; found ",
          text));
}

void DamageList::note(const DamagedClip& found) {
  const std::lock_guard lock(mutex_);
  const Key key(found.data, found.clip, found.part);
  if (!clips_.emplace(key, found).second) return;
  fresh_.push_back(key);
  log_warning("[data] ", found.error, "; ",
              found.part == ClipPart::kValues ? "the next intact clip takes its place"
                                              : "the clip trains without its caption",
              " (data.on_error)");
}

bool DamageList::contains(const std::string& data, std::int64_t clip, ClipPart part) const {
  const std::lock_guard lock(mutex_);
  return clips_.contains({data, clip, part});
}

bool DamageList::meet(const std::string& data, std::int64_t clip, std::int64_t step) {
  const std::lock_guard lock(mutex_);
  bool first = false;
  for (const ClipPart part : {ClipPart::kValues, ClipPart::kCaptions}) {
    const auto found = clips_.find({data, clip, part});
    if (found == clips_.end() || found->second.step > 0) continue;
    found->second.step = step;
    first = true;
  }
  return first;
}

std::int64_t DamageList::met() const {
  const std::lock_guard lock(mutex_);
  std::set<std::pair<std::string, std::int64_t>> clips;
  for (const auto& [key, found] : clips_) {
    if (found.step > 0) clips.emplace(found.data, found.clip);
  }
  return static_cast<std::int64_t>(clips.size());
}

std::string DamageList::take_new() {
  const std::lock_guard lock(mutex_);
  std::string lines;
  for (const Key& key : fresh_) lines += line_of(clips_.at(key));
  fresh_.clear();
  return lines;
}

void DamageList::merge(const std::string& lines, const std::string& where, std::int64_t last_step) {
  const std::lock_guard lock(mutex_);
  std::istringstream in(lines);
  std::int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const auto refuse = [&](const std::string& fault) {
      throw CorruptData(str("[quarantine] ", where, ", line ", number,
                            ": not an entry of a damaged clip: ", fault,
                            "; remove the line, or the file if the data set is repaired"));
    };
    try {
      const DamagedClip found = parse_line(line);
      if (found.step <= last_step) clips_.emplace(Key(found.data, found.clip, found.part), found);
    } catch (const nlohmann::json::exception& error) {
      refuse(error.what());
    } catch (const InvalidArgument& error) {
      refuse(error.what());
    }
  }
}

std::string DamageList::met_lines() const {
  std::vector<DamagedClip> clips = all();
  std::erase_if(clips, [](const DamagedClip& found) { return found.step == 0; });
  std::stable_sort(clips.begin(), clips.end(),
                   [](const auto& a, const auto& b) { return a.step < b.step; });
  std::string lines;
  for (const DamagedClip& found : clips) lines += line_of(found);
  return lines;
}

std::vector<DamagedClip> DamageList::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<DamagedClip> clips;
  for (const auto& [key, found] : clips_) clips.push_back(found);
  return clips;
}

}  // namespace eflow::trainer
