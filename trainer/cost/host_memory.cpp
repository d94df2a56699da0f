#include "eflow/trainer/cost/host_memory.hpp"

#include <exception>
#include <fstream>
#include <locale>
#include <string>

namespace eflow::trainer {

std::uint64_t host_memory(const std::filesystem::path& root) try {
  std::ifstream in(root / "proc/meminfo");  // lines are "MemTotal:       24630712 kB"
  in.imbue(std::locale::classic());
  std::uint64_t sum = 0, kibibytes = 0;
  for (std::string name, unit; in >> name >> kibibytes && std::getline(in, unit);) {
    if (name == "MemTotal:" || name == "SwapTotal:") sum += kibibytes << 10;
  }
  return sum;
} catch (const std::exception&) {
  return 0;
}

}  // namespace eflow::trainer
