// eflow data merge: joins packed data sets.

#include "eflow/io/import/merge.hpp"

#include <cstdio>

#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/program/arguments.hpp"

namespace eflow::program {

int data_merge(const Arguments& arguments) {
  std::string out;
  const std::vector<trainer::Option> options = {
      {"out", &out,
       "Folder of the joint data set. If it is a data set already, the others are added to it."},
  };
  if (wants_help(arguments)) {
    return print_help({"eflow data merge PART... --out DIR",
                       "Joins data sets of equal clips, classes and text without packing again: "
                       "parts that several processes packed (data import --part), or additions."},
                      options);
  }
  std::vector<std::string> parts;
  parse(arguments, options, {"out"}, &parts, 1 << 16);
  if (parts.empty()) throw InvalidArgument("eflow data merge: expected folders of data sets");
  try {
    const io::Manifest manifest = io::merge_datasets({parts.begin(), parts.end()}, out);
    std::printf("%s: %lld clips in %zu shards\n", out.c_str(),
                static_cast<long long>(manifest.count), manifest.shards.size());
  } catch (const InvalidArgument& error) {
    throw trainer::DataError(error.what());
  }
  return 0;
}

}  // namespace eflow::program
