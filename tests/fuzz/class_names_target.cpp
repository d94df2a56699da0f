// Files of class names, in whatever form an editor leaves them.
#include "eflow/io/dataset/class_names.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {

std::vector<std::string> seeds() {
  return {"cat\ndog\n",
          "\xef\xbb\xbf"
          "cat\r\ndog\r\n\r\n",
          "caf\xc3\xa9\nna\xc3\xafve"};
}

void run(std::string_view input) {
  const MemoryFile file(input);
  for (const std::string& name : io::read_class_names(file.path()))
    if (name.empty()) throw std::logic_error("an empty class name was accepted");
}

}  // namespace eflow::fuzz
