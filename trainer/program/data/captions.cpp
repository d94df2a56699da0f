// eflow data captions: lists the captions of clips for a text encoder.

#include <cstdio>
#include <nlohmann/json.hpp>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/data/item_flags.hpp"

namespace eflow::program {

int data_captions(const Arguments& arguments) {
  ItemFlags flags;
  std::string out;
  std::vector<trainer::Option> options = flags.options();
  options.push_back({"out", &out, "The .jsonl file to write: {\"captions\": [...]} in each line."});
  if (wants_help(arguments)) {
    return print_help(
        {"eflow data captions IN... --out FILE.jsonl [...]",
         "Lists the captions that clips bring, for scripts/python/encode_captions.py. "
         "`eflow data import --text` then finds their embeddings by the words."},
        options);
  }
  std::vector<std::string> inputs;
  parse(arguments, options, {"out"}, &inputs, 1 << 16);
  flags.clips_per_video = 1;  // all clips of a video have its captions
  if (inputs.empty()) throw InvalidArgument("eflow data captions: expected files or folders");
  const auto source = io::open_source(inputs, flags.open_options(false));
  std::string lines;
  std::int64_t clips = 0, captioned = 0, faults = 0;
  io::Item item;
  for (;;) {
    try {
      if (!source->next(item)) break;
      ++clips;
      if (item.captions.empty()) continue;
      ++captioned;
      auto texts = nlohmann::json::array();
      for (const io::ItemCaption& caption : item.captions) texts.push_back(caption.text);
      const std::string line = nlohmann::json{{"captions", texts}}.dump() + "\n";
      // The clips of one video have the same captions, one after another.
      if (!lines.ends_with("\n" + line) && lines != line) lines += line;
    } catch (const io::ItemFault& fault) {
      ++faults;
      std::fprintf(stderr, "skipped %s\n", fault.what());
    }
  }
  if (captioned == 0)
    throw trainer::DataError(
        str("none of ", clips, " clips has a caption in a .txt or .json file"));
  write_file_atomically(out, lines);
  std::printf("%s: captions of %lld of %lld clips%s\n", out.c_str(),
              static_cast<long long>(captioned), static_cast<long long>(clips),
              faults > 0 ? str(", ", faults, " skipped").c_str() : "");
  return 0;
}

}  // namespace eflow::program
